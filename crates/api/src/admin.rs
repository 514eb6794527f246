//! What operators do at the command line.

use crate::{config::Config, keys::Keys, server};
use anyhow::ensure;
use std::io::Write;

/// Looks at every entry of the audit log and prints each fault.
///
/// # Errors
/// When there is one.
pub async fn verify_audit(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let db = server::connect(config, &Keys::load(config)?).await?;
    let (mut faults, mut written) = (0, Ok(()));
    let verified = cerebros_db::audit::verify_unscoped(&db, |fault| {
        faults += 1;
        let at = fault.seq.map_or_else(String::new, |seq| format!(", entry {seq}"));
        let line = writeln!(out, "workspace {}{at}: {}", fault.workspace_id, fault.what);
        written = std::mem::replace(&mut written, Ok(())).and(line);
    });
    let verified = verified.await?;
    written?;
    let (entries, chains) = (verified.entries, verified.chains);
    ensure!(faults == 0, "{faults} faults in {entries} entries of {chains} logs");
    writeln!(out, "{entries} entries of {chains} logs are as they were written")?;
    Ok(())
}

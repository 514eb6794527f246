//! What operators do at the command line.

use crate::{
    auth,
    config::Config,
    deletions, imports,
    keys::{Keys, Purpose},
    links, provider_keys, seal, server, webhooks,
};
use anyhow::{Context, ensure};
use cerebros_common::{deletions::Receipt, wire::Envelope};
use cerebros_db::{self as db, Scope, link_tokens, seal::Sealed, users, workspaces};
use std::{fs, io::Write, path::Path};

/// Makes and prints a link with which somebody chooses a new password. Works beside a running server.
///
/// # Errors
/// When no account has the address.
pub async fn reset_link(config: &Config, email: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let db = server::connect(config, &Keys::load(config)?).await?;
    let found = users::find_credentials_unscoped(&db, email.trim()).await?;
    let user = found.context("no account has this address")?.user;
    let personal = workspaces::personal_scope_unscoped(&db, user.id).await?;
    let token = auth::token();
    let mut write = db.write(&Scope::system(personal.workspace_id)).await?;
    let by_operator = link_tokens::Purpose::ResetByOperator;
    link_tokens::replace_unscoped(&mut write, user.id, by_operator, &auth::digest(&token)).await?;
    write.commit().await?;
    let link = links::address(&config.origin(config.bind), "reset-password", &token);
    writeln!(
        out,
        "{link}\nIt works once, within 15 minutes. Pass it to nobody but the account's owner."
    )?;
    Ok(())
}

/// Looks at every entry of the audit log and prints each fault.
///
/// # Errors
/// When there is one.
pub async fn verify_audit(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let connection = server::connect(config, &Keys::load(config)?).await?;
    let (mut faults, mut written) = (0, Ok(()));
    let verified = db::audit::verify_unscoped(&connection, |fault| {
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

/// Puts a new secret in use, or the one that leads `SECRET_KEY` now, and encrypts with it what was encrypted with others.
///
/// # Errors
/// When a server uses the embedded database, or a stored key cannot be opened.
pub async fn rotate_key(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let mut keys = Keys::load(config)?;
    let connection = server::connect(config, &keys).await?;
    let _lock = server::lock_data_dir(config, &connection)?;
    let renewed = keys.renew()?;
    // Connected anew, so that the audit log is written with the secret in use.
    let connection = server::connect(config, &keys).await?;
    keys.check(&connection).await?;
    let (key_id, _) = keys.current(Purpose::Secrets);
    let outdated = db::provider_keys::outdated_unscoped(&connection, &key_id).await?;
    for (workspace_id, provider, sealed) in &outdated {
        let anew = renewed_seal(&keys, &provider_keys::place(*workspace_id, *provider), sealed)?;
        let mut write = connection.write(&Scope::system(*workspace_id)).await?;
        db::provider_keys::reseal(&mut write, *provider, sealed, anew).await?;
        write.commit().await?;
    }
    let hooks = db::webhooks::outdated_unscoped(&connection, &key_id).await?;
    for (workspace_id, id, sealed) in &hooks {
        let anew = renewed_seal(&keys, &webhooks::place(*workspace_id, *id), sealed)?;
        let mut write = connection.write(&Scope::system(*workspace_id)).await?;
        db::webhooks::reseal(&mut write, *id, sealed, anew).await?;
        write.commit().await?;
    }
    writeln!(
        out,
        "the secret key {key_id} is in use; {} stored keys were encrypted anew",
        outdated.len() + hooks.len()
    )?;
    if renewed {
        writeln!(
            out,
            "secret.key keeps the older ones: the audit log is verified with them. Restart every process"
        )?;
    }
    Ok(())
}

fn renewed_seal(keys: &Keys, place: &str, sealed: &Sealed) -> anyhow::Result<Sealed> {
    let secret = seal::open(keys, place, sealed)?;
    Ok(seal::seal(keys, place, &secret)?)
}

/// Makes a workspace of an archive and prints its id.
///
/// # Errors
/// Whatever is wrong with the archive; nothing is kept then.
pub async fn import(config: &Config, file: &Path, owner: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let id = imports::import(config, file, owner).await?;
    writeln!(out, "{id}")?;
    Ok(())
}

/// Checks a receipt, as the API gives it or without the envelope, and prints what it says.
///
/// # Errors
/// When it was changed, or signed with none of the keys that are expected.
pub fn verify_receipt(
    config: &Config,
    file: &Path,
    public_key: Option<String>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let text = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let receipt: Receipt = match serde_json::from_slice::<Envelope<Receipt>>(&text) {
        Ok(envelope) => envelope.data,
        Err(_) => serde_json::from_slice(&text).context("the file holds no receipt")?,
    };
    ensure!(
        deletions::is_signed(&receipt),
        "the receipt was changed, or is not signed"
    );
    let expected = match public_key {
        Some(key) => vec![key.to_lowercase()],
        None => deletions::public_keys(&Keys::load(config)?),
    };
    ensure!(
        expected.contains(&receipt.public_key),
        "the receipt is signed with the key {}, which is not one of {}",
        receipt.public_key,
        expected.join(", ")
    );
    writeln!(out, "{}", receipt.payload)?;
    Ok(())
}

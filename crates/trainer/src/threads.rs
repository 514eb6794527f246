//! How many CPU threads a child uses.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// candle and rayon both read it, once.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Makes `wanted` threads, or half of the machine's, hold for the process. The setting is read from the environment when
/// the first product runs and cannot be changed safely inside a process, so the process starts itself again with it; that
/// keeps its id, its standard streams and its parent. Returns only when the number holds or the restart has failed.
pub fn fix(wanted: Option<usize>) -> std::io::Result<()> {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = wanted.unwrap_or(available.div_ceil(2)).to_string();
    if std::env::var(VARIABLE).is_ok_and(|value| value == threads) {
        return Ok(());
    }
    // Not by its path: the file there may be a newer one by now, or gone.
    let error = Command::new("/proc/self/exe")
        .args(std::env::args_os().skip(1))
        .env(VARIABLE, threads)
        .exec();
    Err(error)
}

//! How many CPU threads a child uses, and how it holds on to memory.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// candle and rayon both read it, once.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// For glibc: freed memory is kept, in large pages, and taken again. Training frees and takes the same large pieces at every
/// step; handing each back would cost a page fault for every 4 KiB of them.
const KEEP_MEMORY: [(&str, &str); 5] = [
    ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "4294967296"),
    ("MALLOC_TRIM_THRESHOLD_", "8589934592"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

/// Makes `wanted` threads, or half of the machine's, hold for the process. The setting is read from the environment when
/// the first product runs and cannot be changed safely inside a process, so the process starts itself again with it; that
/// keeps its id, its standard streams and its parent. Returns only when the number holds or the restart has failed.
pub fn fix(wanted: Option<usize>) -> std::io::Result<()> {
    restart_with(wanted, &[])
}

/// [`fix`], and memory that was once taken is kept until the process ends.
pub fn fix_and_keep_memory(wanted: Option<usize>) -> std::io::Result<()> {
    restart_with(wanted, &KEEP_MEMORY)
}

fn restart_with(wanted: Option<usize>, others: &[(&str, &str)]) -> std::io::Result<()> {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = wanted.unwrap_or(available.div_ceil(2)).to_string();
    let holds = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if holds(VARIABLE, &threads) && others.iter().all(|(name, value)| holds(name, value)) {
        return Ok(());
    }
    // Not by its path: the file there may be a newer one by now, or gone.
    let error = Command::new("/proc/self/exe")
        .args(std::env::args_os().skip(1))
        .env(VARIABLE, threads)
        .envs(others.iter().copied())
        .exec();
    Err(error)
}

//! Being asked to leave.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::failure::Stop;

/// Set once, never cleared.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches SIGTERM, SIGINT and the end of stdin, which is how the parent's death shows.
    pub fn watch() -> io::Result<Self> {
        let interrupt = Self::default();
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, interrupt.0.clone())?;
        }
        let at_end = interrupt.clone();
        std::thread::Builder::new().name("stdin".into()).spawn(move || {
            drain(&mut io::stdin());
            at_end.raise();
        })?;
        Ok(interrupt)
    }

    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn check(&self) -> Result<(), Stop> {
        if self.0.load(Ordering::Relaxed) {
            Err(Stop::Interrupted)
        } else {
            Ok(())
        }
    }
}

/// Reads until the end, or until reading fails, which ends it as well.
pub fn drain(input: &mut impl Read) {
    let mut buffer = [0; 1024];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

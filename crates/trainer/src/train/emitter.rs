//! Event lines on stdout.

use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::watch::Interrupt;
use crate::protocol::{Event, EventLine, LogLevel, VERSION};

/// Numbers the lines and writes each at once.
pub struct Emitter {
    output: Mutex<(u64, Box<dyn Write + Send>)>,
    interrupt: OnceLock<Interrupt>,
}

impl Emitter {
    pub fn stdout() -> Self {
        Self::to(Box::new(std::io::stdout()))
    }

    pub fn to(output: Box<dyn Write + Send>) -> Self {
        Self {
            output: Mutex::new((0, output)),
            interrupt: OnceLock::new(),
        }
    }

    /// A reader that is gone is a parent that has died: the run is then asked to leave.
    pub fn interrupt_on_failure(&self, interrupt: Interrupt) {
        self.interrupt.get_or_init(|| interrupt);
    }

    pub fn emit(&self, event: Event) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let (seq, writer) = &mut *output;
        *seq += 1;
        let line = serde_json::json!(EventLine {
            v: VERSION,
            seq: *seq,
            event
        });
        if writeln!(writer, "{line}").and_then(|()| writer.flush()).is_err()
            && let Some(interrupt) = self.interrupt.get()
        {
            interrupt.raise();
        }
    }

    pub fn log(&self, level: LogLevel, message: impl Into<String>) {
        self.emit(Event::Log {
            level,
            message: message.into(),
        });
    }
}

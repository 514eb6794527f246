//! What computes a run.

use std::fs;

use crate::ops::bf16::Kernel;
use crate::protocol::Precision;

/// The processor's name as the system has it, and the instructions that products of bf16 take: `CPU: AMD EPYC 9354 (AVX-512)`.
pub fn name(precision: Precision) -> String {
    let found = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut name = match model(&found) {
        Some(model) => format!("CPU: {model}"),
        None => "CPU".to_owned(),
    };
    if precision == Precision::Bf16 {
        match Kernel::fastest() {
            Kernel::Tiles => name.push_str(" (AMX)"),
            Kernel::Dots => name.push_str(" (AVX-512)"),
            Kernel::Portable => {}
        }
    }
    name
}

/// On one line, at most 100 characters.
fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"))?;
    let words: Vec<&str> = line.trim_start_matches([' ', '\t', ':']).split_whitespace().collect();
    let model: String = words.join(" ").chars().take(100).collect();
    (!model.is_empty()).then_some(model)
}

#[cfg(test)]
mod tests {
    use super::model;

    #[test]
    fn a_processor_is_named_where_the_system_knows_it() {
        let intel = "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Intel(R)  Xeon(R) Processor \nflags\t: a b\n";
        assert_eq!(model(intel).as_deref(), Some("Intel(R) Xeon(R) Processor"));
        assert_eq!(model("processor\t: 0\nBogoMIPS\t: 50.00\n"), None);
        assert_eq!(model("model name\t:\n"), None);
    }
}

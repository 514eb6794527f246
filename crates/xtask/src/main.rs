//! Build helper. Not shipped.

mod dist;

use clap::Parser;

#[derive(Parser)]
enum Command {
    /// Builds the browser app into `frontend/dist`.
    Dist(dist::Options),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Dist(options) => dist::run(&options),
    }
}

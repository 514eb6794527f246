//! The binary embeds the built browser app; it is built again when that changes.

fn main() {
    println!("cargo:rerun-if-changed=../../frontend/dist");
}

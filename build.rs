//! How the static binary is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo tells a build script for what it builds by its environment alone"
    )]
    let target = std::env::var("TARGET");
    if target.is_ok_and(|target| target == "x86_64-unknown-linux-musl") {
        // Of 24 bytes a relocation, and there are tens of thousands, a bit or two are left. musl reads them since 1.2.4.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

//! How the static binary is linked: what it takes that it begins quickly, as a container takes four beginnings.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let of = |name| std::env::var(name).unwrap_or_default();
    if of("CARGO_CFG_TARGET_ENV") == "musl" && of("CARGO_CFG_TARGET_ARCH") == "x86_64" {
        // `cli/sys/entry.rs`, which goes on where it would have begun.
        println!("cargo::rustc-link-arg-bins=-Wl,--entry=lighter_entry");
        // 24 bytes a relocation, 37,000 of them, become two bits most of the time.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

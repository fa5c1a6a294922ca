//! Compiles the kernel programs in `bpf/` and generates their skeletons into `OUT_DIR`: `floor`
//! for the benchmark alone.

use std::path::PathBuf;
use std::{env, ffi::OsString};

use anyhow::{Context, Result};
use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=bpf");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let arch = env::var("CARGO_CFG_TARGET_ARCH").context("cargo sets the target")?;
    for name in ["frames", "process", "floor"] {
        SkeletonBuilder::new()
            .source(format!("bpf/{name}.bpf.c"))
            .clang_args([
                OsString::from("-Wall"),
                OsString::from("-Werror"),
                // Atomic compare-and-exchange (bpf/scratch.h): Linux 5.12.
                OsString::from("-mcpu=v3"),
                // <linux/errno.h> includes <asm/errno.h>, which Debian keeps in the host's
                // multiarch directory, where clang -target bpf does not look.
                OsString::from(format!("-idirafter/usr/include/{arch}-linux-gnu")),
            ])
            .build_and_generate(out.join(format!("{name}.skel.rs")))
            .with_context(|| format!("failed to compile bpf/{name}.bpf.c"))?;
    }
    Ok(())
}

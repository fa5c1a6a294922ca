//! Compiles the kernel programs in `bpf/` and generates their skeletons into `OUT_DIR`: `floor`
//! for the benchmark alone, `frames_old` for nothing but a test of its types.

use std::path::PathBuf;
use std::{env, ffi::OsString};

use anyhow::{Context, Result};
use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=bpf");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let arch = env::var("CARGO_CFG_TARGET_ARCH").context("cargo sets the target")?;
    for name in [
        "frames",
        "frames_old",
        "frames_compiled",
        "process",
        "floor",
    ] {
        SkeletonBuilder::new()
            .source(format!("bpf/{name}.bpf.c"))
            .obj(out.join(format!("{name}.bpf.o")))
            .clang_args([
                OsString::from("-Wall"),
                OsString::from("-Werror"),
                // Atomic compare-and-exchange (bpf/scratch.h): Linux 5.12. bpf/kernels.h has a way
                // around it.
                OsString::from("-mcpu=v3"),
                // Loops laid out as they are written. Else clang may enter one in its middle and
                // fall through to its head, which the verifier up to (at least) Linux 6.1 takes
                // for a jump back that no loop makes (kernel/bpf/verifier.c, check_cfg()).
                OsString::from("-mllvm"),
                OsString::from("-disable-block-placement"),
                // <linux/errno.h> includes <asm/errno.h>, which Debian keeps in the host's
                // multiarch directory, where clang -target bpf does not look.
                OsString::from(format!("-idirafter/usr/include/{arch}-linux-gnu")),
            ])
            .build_and_generate(out.join(format!("{name}.skel.rs")))
            .with_context(|| format!("failed to compile bpf/{name}.bpf.c"))?;
    }
    Ok(())
}

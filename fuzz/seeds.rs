//! Writes the files that fuzzing starts from: `seeds DIRECTORY` fills `DIRECTORY/plan`,
//! `trace_file`, `records` and `values`.

use std::fs;
use std::io;
use std::path::Path;

use pytrace_fuzz::elf::{EM_AARCH64, EM_X86_64, EXIT, Image, program_32};
use pytrace_fuzz::miniature::interpreter;
use pytrace_fuzz::objects::MINORS;

fn main() -> io::Result<()> {
    let directory = std::env::args_os().nth(1);
    let directory = directory.ok_or_else(|| io::Error::other("usage: seeds DIRECTORY"))?;
    let directory = Path::new(&directory);
    let write = |target: &str, name: String, bytes: &[u8]| {
        let directory = directory.join(target);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(name), bytes)
    };
    for minor in MINORS {
        write("plan", format!("python3.{minor}"), &interpreter(minor))?;
    }
    for machine in [EM_X86_64, EM_AARCH64] {
        let mut image = Image::new(machine, EXIT);
        image.needs("libpython3.13.so.1.0");
        write("plan", format!("machine-{machine}"), &image.build())?;
    }
    write("plan", "32-bit".to_owned(), &program_32())?;

    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            write("trace_file", name.into_owned(), &fs::read(&path)?)?;
        }
    }
    // The kinds of records that there are, each with room for its fields and two strings.
    for kind in 0..16u8 {
        let mut record = vec![0; 256];
        record[0] = kind;
        write("records", format!("kind-{kind}"), &record)?;
    }
    // Values of each shape, with two children and some data, and of each recipe.
    for shape in 0..19u8 {
        for recipe in 0..40u8 {
            let mut value = [0; 112];
            value[0] = 112;
            value[2] = shape;
            value[3] = 2;
            value[4] = 1;
            value[6] = recipe;
            value[16] = 2;
            write("values", format!("{shape}-{recipe}"), &value.repeat(3))?;
            if shape != 18 {
                break;
            }
        }
    }
    Ok(())
}

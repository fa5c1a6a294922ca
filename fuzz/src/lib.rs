//! What the fuzz targets share with the tests.

#[path = "../../tests/common/elf.rs"]
pub mod elf;
#[path = "../../tests/common/miniature.rs"]
pub mod miniature;
#[path = "../../tests/common/mutate.rs"]
pub mod mutate;
#[path = "../../tests/common/objects.rs"]
pub mod objects;

//! What the fuzz targets share with each other and with the tests.

#[path = "../../tests/common/elf.rs"]
pub mod elf;
pub mod events;
pub mod looks;
#[path = "../../tests/common/miniature.rs"]
pub mod miniature;
#[path = "../../tests/common/mutate.rs"]
pub mod mutate;
#[path = "../../tests/common/objects.rs"]
pub mod objects;
pub mod rows;
pub mod stream;

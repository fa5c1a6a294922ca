//! Frames of pandas, made by hand.

use super::*;

/// A frame of so many rows, by a range, and with its columns' labels in this.
fn frame(range: [i64; 3], labels: Made) -> Made {
    let range = fields("range", &[]).children(range.map(int));
    let index = |name, labels| sequence(Shape::Instance, vec![string(name), labels]);
    let axes = sequence(
        Shape::List,
        vec![index("_data", labels), index("_range", range)],
    );
    let manager = fields("pandas._libs.internals.BlockManager", &[]);
    let manager = manager.children([axes, made(Shape::None, 0, &[])]);
    sequence(Shape::Instance, vec![string("_mgr"), manager]).typed(4)
}

/// An array of object references.
fn array(length: u64) -> Made {
    let mut data = vec![0; 88];
    data[8] = 1;
    data[16..24].copy_from_slice(&length.to_le_bytes());
    data[80] = b'O';
    data[84] = 17;
    fields("numpy.ndarray", &data).typed(11)
}

#[test]
fn frames_of_pandas() {
    assert_eq!(
        shown(frame([0, 9, 1], array(2))),
        "<pandas.DataFrame (9, 2)>"
    );
    assert_eq!(
        shown(frame([9, 0, -2], array(2))),
        "<pandas.DataFrame (5, 2)>"
    );
    assert_eq!(
        shown(frame([9, 0, 1], array(0))),
        "<pandas.DataFrame (0, 0)>"
    );
    assert_eq!(
        shown(frame([0, 9, 0], array(2))),
        "<pandas.DataFrame (?, 2)>"
    );
    assert_eq!(shown(frame([0, 9, 0], int(1))), "<pandas.DataFrame>");
    let backed = fields("pandas._libs.arrays.NDArrayBacked", &[]).children([array(3)]);
    assert_eq!(shown(frame([0, 9, 2], backed)), "<pandas.DataFrame (5, 3)>");
    let axes = sequence(Shape::List, vec![int(1), int(2), int(3)]);
    let slotted = made(Shape::Instance, 0, &[]).children([axes]).typed(1);
    let odd = sequence(Shape::Instance, vec![string("_mgr"), slotted]).typed(4);
    assert_eq!(shown(odd), "<pandas.DataFrame>");
}

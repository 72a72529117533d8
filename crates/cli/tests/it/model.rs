//! `flare model show`.

use expect_test::expect;
use flare::tensor::{DType, Layout, Tensors};

use crate::place::Place;

#[test]
fn tensors_and_hash_are_listed() {
    let place = Place::new();
    let layout = Layout::new([
        ("weights", DType::F32, vec![64, 10]),
        ("steps", DType::I64, vec![]),
        ("half", DType::Bf16, vec![0, 3]),
    ]);
    let tensors = Tensors::zeros(&layout.unwrap());
    place.write("model.safetensors", tensors.encoded());
    let shown = place.flare(&["model", "show", "model.safetensors"]);
    expect![[r#"
        tensor   dtype  shape     bytes
        steps    I64    []            8
        weights  F32    [64, 10]   2560
        half     BF16   [0, 3]        0

        tensors   3
        elements  641
        bytes     2568
        hash      HASH
        [EOF]
        --- stderr
        [EOF]
        --- exit 0
    "#]]
    .assert_eq(&shown.to_string());
    assert!(shown.stdout.contains(&tensors.hash().to_string()), "{shown}");
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    let place = Place::new();
    place.write("text", "hello, this is no model");
    expect![[r#"
        [EOF]
        --- stderr
        error: model text is no safetensors file
          reading tensors: the header's length is 8367736964726416744 bytes, but 15 bytes follow it and 100000000 are the limit; is this a whole safetensors file?
        [EOF]
        --- exit 2
    "#]].assert_eq(&place.flare(&["model", "show", "text"]).to_string());
    expect![[r#"
        [EOF]
        --- stderr
        error: reading model nowhere
          No such file or directory (os error 2)
        [EOF]
        --- exit 2
    "#]]
    .assert_eq(&place.flare(&["model", "show", "nowhere"]).to_string());
}

#[test]
fn a_foreign_file_has_a_hash_of_its_own_besides() {
    // A header that is legal and not in our form: no padding, and its data at an odd address.
    let header = br#"{"b":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.push(1);
    let place = Place::new();
    place.write("foreign", &file);
    let shown = place.flare(&["model", "show", "foreign"]).well();
    assert!(shown.stdout.contains(&flare::Hash::of(&file).to_string()), "{shown}");
    let canonical = Tensors::decode(file).unwrap().hash();
    assert!(shown.stdout.contains(&format!("hash      {canonical}")), "{shown}");
}

#[test]
fn a_name_from_a_stranger_cannot_steer_the_terminal() {
    let header = "{\"a\u{202e}b<i>\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.push(1);
    let place = Place::new();
    place.write("wild", &file);
    let shown = place.flare(&["model", "show", "wild"]).well();
    assert!(shown.stdout.contains(r"a\u{202e}b<i>"), "{shown}");
}

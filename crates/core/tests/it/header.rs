//! Headers: each way to be wrong, and each limit one past it.

use flare_core::tensor::NameFault;
use flare_core::tensor::{DType, Error, Fault, Layout, MAX_HEADER, MAX_NAME, MAX_RANK, Tensors};

#[test]
fn each_departure_from_the_grammar_is_named() {
    let cases = [
        ("", "header: byte 0: expected the opening brace, found the end of the header"),
        (" {}", "header: byte 0: expected the opening brace, found  {}"),
        ("{", "header: byte 1: expected a key in quotes, found the end of the header"),
        ("{}x", "header: byte 2: expected only spaces after the closing brace, found x"),
        ("{} {}", "header: byte 3: expected only spaces after the closing brace, found {}"),
        (r#"{"t"}"#, "header: byte 4: expected a colon, found }"),
        (
            r#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}"#,
            "header: byte 54: expected a key in quotes",
        ),
        (r#"{"t":null}"#, r#"tensor "t": header: byte 5: expected an object, found null}"#),
        (r#"{"t":{}}"#, r#"tensor "t": header field "dtype" is missing"#),
        (r#"{"t":{"dtype":"F32"}}"#, r#"tensor "t": header field "shape" is missing"#),
        (
            r#"{"t":{"dtype":"F32","shape":[]}}"#,
            r#"tensor "t": header field "data_offsets" is missing"#,
        ),
        (r#"{"t":{"strides":[1]}}"#, r#"tensor "t": header field "strides" is unknown"#),
        (
            r#"{"t":{"dtype":3}}"#,
            r#"header field "dtype": byte 14: expected an element type in quotes, found 3}}"#,
        ),
        (r#"{"t":{"dtype":"f32"}}"#, r#"header field "dtype": "f32" is not one of"#),
        (r#"{"t":{"shape":4}}"#, r#"header field "shape": byte 14: expected a list, found 4}}"#),
        (r#"{"t":{"shape":[01]}}"#, r#"header field "shape": byte 15: expected a whole number"#),
        (r#"{"t":{"shape":[+1]}}"#, r#"header field "shape": byte 15: expected a whole number"#),
        (r#"{"t":{"shape":[1e0]}}"#, r#"header field "shape": byte 15: expected a whole number"#),
        (r#"{"t":{"shape":[1.0]}}"#, r#"header field "shape": byte 15: expected a whole number"#),
        (r#"{"t":{"shape":["1"]}}"#, r#"header field "shape": byte 15: expected a whole number"#),
        (r#"{"t":{"shape":[1,]}}"#, r#"header field "shape": byte 17: expected a whole number"#),
        (
            r#"{"t":{"shape":[1 2]}}"#,
            r#"header field "shape": byte 17: expected a comma or the closing bracket"#,
        ),
        (r#"{"t":{"shape":[18446744073709551616]}}"#, "expected a whole number from 0 to 2^64 - 1"),
        (
            r#"{"t":{"data_offsets":[0]}}"#,
            r#"header field "data_offsets": byte 21: expected a list of two offsets"#,
        ),
        (
            r#"{"t":{"data_offsets":[0,1,2]}}"#,
            r#"header field "data_offsets": byte 26: expected no more numbers"#,
        ),
        (
            r#"{"__metadata__":{"a":"","a":""}}"#,
            r#"header field "__metadata__": byte 28: expected each key once only"#,
        ),
        (
            r#"{"__metadata__":{},"__metadata__":{}}"#,
            r#"header field "__metadata__": byte 34: expected it once only"#,
        ),
        (r#"{"__metadata__":[]}"#, r#"header field "__metadata__": byte 16: expected an object"#),
        (
            r#"{"__metadata__":{"a":null}}"#,
            r#"header field "__metadata__": byte 21: expected a text in quotes"#,
        ),
    ];
    for (header, expected) in cases {
        let message = decode(header, &[0; 4]).unwrap_err().to_string();
        assert!(message.contains(expected), "{header}: {message}");
    }
}

#[test]
fn one_byte_too_few_or_too_many_between_two_tensors_is_named() {
    let cases = [
        (
            [0, 2],
            [1, 3],
            r#"tensor "b": header field "data_offsets": begins at 1, inside of tensor "a""#,
        ),
        (
            [0, 2],
            [1, 1],
            r#"tensor "b": header field "data_offsets": begins at 1, inside of tensor "a""#,
        ),
        (
            [0, 2],
            [3, 5],
            r#"tensor "b": header field "data_offsets": begins at 3, but the data before"#,
        ),
        (
            [1, 3],
            [0, 0],
            r#"tensor "a": header field "data_offsets": begins at 1, but the data before"#,
        ),
        ([0, 2], [2, 4], r#"1 bytes follow the last tensor "b""#),
    ];
    for (a, b, expected) in cases {
        let entry = |name, [start, end]: [usize; 2]| {
            let shape = end - start;
            format!(r#""{name}":{{"dtype":"U8","shape":[{shape}],"data_offsets":[{start},{end}]}}"#)
        };
        let header = format!("{{{},{}}}", entry("a", a), entry("b", b));
        let message = decode(&header, &[0; 5]).unwrap_err().to_string();
        assert!(message.contains(expected), "{a:?} {b:?}: {message}");
    }
}

#[test]
fn names_may_be_escaped_in_every_way_of_json() {
    let names = [
        (r"\u0041\u00e9", "Aé"),
        (r"\ud834\udd1e", "𝄞"),
        (r"\uD834\uDD1E", "𝄞"),
        (r#"\"\\\/"#, "\"\\/"),
        ("層", "層"),
        (r"a\u005C", "a\\"),
    ];
    for (escaped, name) in names {
        let tensors = decode(&one(escaped), &[0, 0, 0x80, 0x3f]).unwrap();
        assert_eq!(tensors.slice::<f32>(name).unwrap(), [1.0], "{escaped}");
    }
}

#[test]
fn wrong_escapes_are_refused() {
    let names = [
        r"\ud834",
        r"\udd1e",
        r"\udd1e\ud834",
        r"\ud834x",
        r"\ud834\u0041",
        r"\u12",
        r"\u+123",
        r"\x41",
        r"\u00zz",
        r"\u00zz\u0041",
        r"\u00é",
        "a\nb",
        "a\0b",
        r"\",
    ];
    for name in names {
        let error = decode(&one(name), &[0; 4]).unwrap_err();
        assert!(matches!(error, Error::Header(_)), "{name:?}: {error}");
    }
    for name in [r"\n", r"\b", r"\f", r"\t", r"\r", r"\u0085", r"\u007f", "\u{85}"] {
        let error = decode(&one(name), &[0; 4]).unwrap_err();
        let control =
            matches!(&error, Error::Tensor { fault: Fault::Name(NameFault::Control { .. }), .. });
        assert!(control, "{name:?}: {error}");
    }
}

#[test]
fn the_rule_for_names_is_one_for_reading_and_writing() {
    let longest = "é".repeat(127) + "n";
    assert_eq!(longest.len(), MAX_NAME);
    for name in [longest.as_str(), "\u{202e}x", " ", "../../x", "<script>"] {
        assert!(Layout::new([(name, DType::F32, [1])]).is_ok(), "{name}");
        assert!(decode(&one(name), &[0; 4]).is_ok(), "{name}");
    }
    for name in ["", &(longest + "n"), "\u{9b}", "\u{7f}"] {
        let written = Layout::new([(name, DType::F32, [1])]).unwrap_err();
        let read = decode(&one(name), &[0; 4]).unwrap_err();
        assert_eq!(written, read);
    }
    let error = Layout::new([("__metadata__", DType::F32, [1])]).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"tensor "__metadata__": the name is the format's own and no tensor's"#
    );
    let error = Layout::new([("a", DType::F32, [1]), ("a", DType::I8, [2])]).unwrap_err();
    assert_eq!(error.to_string(), r#"tensor "a": the name occurs twice"#);
}

#[test]
fn shapes_that_cannot_be_addressed_are_refused_wherever_a_zero_stands() {
    let huge = 1_usize << 62;
    for shape in [vec![huge, 4], vec![0, huge, 4], vec![huge, 4, 0], vec![huge]] {
        let error = Layout::new([("t", DType::F32, shape)]).unwrap_err();
        assert!(error.to_string().ends_with("has more bytes than can be addressed"), "{error}");
    }
    let two = [("a", DType::U8, [huge]), ("b", DType::U8, [huge])];
    assert!(matches!(Layout::new(two), Err(Error::TooLarge { tensors: 2, .. })));
    let header = r#"{"t":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}}"#;
    let error = decode(header, &[]).unwrap_err().to_string();
    assert!(
        error.starts_with(r#"tensor "t": shape [0, 4611686018427387904, 4] of F32"#),
        "{error}"
    );
}

#[test]
fn as_many_dimensions_as_the_limit_and_no_more() {
    let ones = |rank: usize| vec!["1"; rank].join(",");
    let header = |rank| {
        format!(r#"{{"t":{{"dtype":"F32","shape":[{}],"data_offsets":[0,4]}}}}"#, ones(rank))
    };
    assert_eq!(decode(&header(MAX_RANK), &[0; 4]).unwrap().get("t").unwrap().shape.len(), MAX_RANK);
    let error = decode(&header(MAX_RANK + 1), &[0; 4]).unwrap_err().to_string();
    assert!(
        error.contains(r#"header field "shape": byte 157: expected no more numbers"#),
        "{error}"
    );
    assert!(Layout::new([("t", DType::F32, vec![1; MAX_RANK])]).is_ok());
    let error = Layout::new([("t", DType::F32, vec![1; MAX_RANK + 1])]).unwrap_err();
    assert_eq!(error.to_string(), r#"tensor "t": shape: 65 dimensions, 64 are the limit"#);
}

#[test]
fn headers_up_to_the_limit_and_no_longer() {
    let mut file = vec![0; 8 + MAX_HEADER + 1];
    file[8] = b'{';
    file[..8].copy_from_slice(&(MAX_HEADER as u64).to_le_bytes());
    let error = Tensors::decode(file.clone()).unwrap_err();
    assert!(matches!(error, Error::Header(_)), "{error}");
    file[..8].copy_from_slice(&(MAX_HEADER as u64 + 1).to_le_bytes());
    let error = Tensors::decode(file).unwrap_err();
    assert!(matches!(error, Error::HeaderLength { .. }), "{error}");
    // 250 quotes are 500 bytes in a header.
    let names = (0..200_000).map(|count| (format!("{}{count}", "\"".repeat(249)), DType::U8, []));
    let error = Layout::new(names).unwrap_err();
    assert!(matches!(error, Error::TooLarge { tensors: 200_000, .. }), "{error}");
}

/// C038: a header of 6.4 MB.
#[test]
fn a_model_of_20_000_tensors_is_like_any_other() {
    let name = |count: usize| format!("block.{}.{count:05}", "x".repeat(240));
    let described = (0..20_000).rev().map(|count| (name(count), DType::F32, [count % 3]));
    let layout = Layout::new(described).unwrap();
    assert!(layout.prefix().len() > 6_000_000);
    let mut builder = Tensors::builder(&layout);
    builder.slice_mut::<f32>(&name(19_999)).unwrap()[0] = 7.0;
    let tensors = builder.finish();
    let decoded = Tensors::decode(tensors.encoded().clone()).unwrap();
    assert_eq!(decoded.encoded().as_ptr(), tensors.encoded().as_ptr());
    assert_eq!((decoded.len(), decoded.layout()), (20_000, &layout));
    for count in 0..20_000 {
        let tensor = decoded.get(&name(count)).unwrap();
        assert_eq!(tensor.shape, [count % 3]);
    }
    assert_eq!(decoded.slice::<f32>(&name(19_999)).unwrap(), [7.0]);
    assert!(decoded.get(&name(20_000)).is_none());
}

/// A header with one f32 whose name is written as given.
fn one(name: &str) -> String {
    format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#)
}

fn decode(header: &str, data: &[u8]) -> Result<Tensors, Error> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(data);
    Tensors::decode(file)
}

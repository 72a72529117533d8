//! The `safetensors` crate as second opinion: it reads what is written here, what it writes is read
//! here, and what is refused there is not accepted here.

use std::collections::{BTreeMap, BTreeSet};

use flare_core::tensor::{DType, Layout, TensorInfo, Tensors};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::seeds::{self, Random};
use crate::tensors::every_type;

/// What two readers are compared by.
type Content = BTreeMap<String, (String, Vec<usize>, Vec<u8>)>;

#[test]
fn the_crate_reads_what_is_written_here() {
    seeds::each(300, |random| {
        let tensors = tensors(random);
        assert_eq!(by_reference(tensors.encoded()).unwrap(), by_us(&tensors));
    });
    assert_eq!(by_reference(every_type().encoded()).unwrap(), by_us(&every_type()));
}

#[test]
fn what_the_crate_writes_is_read_here() {
    seeds::each(300, |random| {
        let tensors = tensors(random);
        let views = tensors.iter().map(|tensor| {
            let dtype = reference_type(tensor.dtype);
            (tensor.name, TensorView::new(dtype, tensor.shape.to_vec(), tensor.bytes).unwrap())
        });
        let metadata = Some([("k\n".to_owned(), "v\u{1b}".to_owned())].into());
        let written = safetensors::serialize(views, metadata).unwrap();
        assert_eq!(Tensors::decode(written).unwrap(), tensors);
    });
}

#[test]
fn any_legal_file_becomes_the_canonical_one() {
    seeds::each(500, |random| {
        let tensors = tensors(random);
        let file = foreign(random, &tensors);
        assert_eq!(by_reference(&file).unwrap(), by_us(&tensors), "the test's writer is wrong");
        let decoded = Tensors::decode(file).unwrap();
        assert_eq!(decoded, tensors);
        assert_eq!(decoded.hash(), tensors.hash());
    });
}

/// Broken files, most of them in the header: nothing panics, and what is read after all is what the
/// crate reads too.
#[test]
fn broken_files_are_refused_or_read_as_the_crate_reads_them() {
    let (mut read, mut refused) = (0, 0);
    seeds::each(10_000, |random| {
        let tensors = tensors(random);
        let legal = if random.below(2) == 0 {
            tensors.encoded().to_vec()
        } else {
            foreign(random, &tensors)
        };
        let broken = damage(random, legal);
        match Tensors::decode(broken.clone()) {
            Ok(decoded) => {
                read += 1;
                assert_eq!(by_reference(&broken).unwrap(), by_us(&decoded));
                assert_eq!(Tensors::decode(decoded.encoded().clone()).unwrap(), decoded);
            }
            Err(error) => {
                refused += 1;
                let message = error.to_string();
                assert!(!message.chars().any(char::is_control), "{message:?}");
            }
        }
        let like = Tensors::decode_like(broken.clone(), tensors.layout());
        assert_eq!(like, Tensors::decode(broken));
    });
    assert!(read > 300 && refused > 3000, "{read} read, {refused} refused");
}

/// A set of random tensors: names that need escapes, shapes with zeros, any bits.
fn tensors(random: &mut Random) -> Tensors {
    let names: BTreeSet<_> = (0..random.below(8)).map(|_| random.text(6) + "n").collect();
    let described: Vec<_> = names
        .into_iter()
        .map(|name| {
            let shape: Vec<_> = (0..random.below(4)).map(|_| random.below(5)).collect();
            (name, random.pick(&DType::ALL), shape)
        })
        .collect();
    let mut builder = Tensors::builder(&Layout::new(described).unwrap());
    for (info, bytes) in builder.slices_mut() {
        let mask = if info.dtype == DType::Bool { 1 } else { 0xff };
        bytes.iter_mut().for_each(|byte| *byte = random.bits() as u8 & mask);
    }
    builder.finish()
}

/// The same tensors in another legal form: data in any order, at any address, keys in any order,
/// with escapes, white space and metadata.
fn foreign(random: &mut Random, tensors: &Tensors) -> Vec<u8> {
    let mut order: Vec<_> = tensors.iter().collect();
    shuffle(random, &mut order);
    let mut data = Vec::new();
    let mut entries = Vec::new();
    for tensor in order {
        let start = data.len();
        data.extend_from_slice(tensor.bytes);
        entries.push(entry(random, tensor.info(), [start, data.len()]));
    }
    if random.below(2) == 0 {
        entries.push(r#" "__metadata__" : {"a":"\ud834\udd1e","b" : ""}"#.to_owned());
    }
    shuffle(random, &mut entries);
    let header = format!("{{{}}}{}", entries.join(","), " ".repeat(random.below(9)));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(&data);
    file
}

fn entry(random: &mut Random, info: &TensorInfo, [start, end]: [usize; 2]) -> String {
    let mut fields = [
        format!(r#""dtype":"{}""#, info.dtype),
        format!("\"shape\" : {:?}", info.shape),
        format!("\"data_offsets\":\t[{start},\r\n{end}]"),
    ];
    shuffle(random, &mut fields);
    format!("{}:{{{}}}", quoted(random, &info.name), fields.join(","))
}

/// A JSON string, some of whose characters are written as escapes without need.
fn quoted(random: &mut Random, text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        if random.below(3) == 0 || matches!(character, '"' | '\\') {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units);
            units.iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(character);
        }
    }
    out.push('"');
    out
}

fn shuffle<T>(random: &mut Random, items: &mut [T]) {
    for end in (1..items.len()).rev() {
        items.swap(end, random.below(end + 1));
    }
}

fn damage(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    let header = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for _ in 0..=random.below(2) {
        let end = if random.below(8) == 0 { bytes.len() } else { bytes.len().min(8 + header) };
        let at = if random.below(16) == 0 { random.below(8) } else { 8 + random.below(end - 8) };
        match random.below(6) {
            0 => bytes.truncate(at.max(9)),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.pick(b"\0 \"\\{}[],:0123456789.-eEfnu"),
            3 => bytes[at] = random.pick(b"0123456789"),
            4 => bytes.extend_from_slice(&[0; 3]),
            // A header of the same length with two neighbours changed over.
            _ => bytes.swap(at.max(1), at.max(1) - 1),
        }
    }
    bytes
}

fn by_us(tensors: &Tensors) -> Content {
    let content = tensors.iter().map(|tensor| {
        let what = (tensor.dtype.to_string(), tensor.shape.to_vec(), tensor.bytes.to_vec());
        (tensor.name.to_owned(), what)
    });
    content.collect()
}

fn by_reference(file: &[u8]) -> Result<Content, safetensors::SafeTensorError> {
    let tensors = SafeTensors::deserialize(file)?;
    let content = tensors.iter().map(|(name, view)| {
        let what = (view.dtype().to_string(), view.shape().to_vec(), view.data().to_vec());
        (name.to_owned(), what)
    });
    Ok(content.collect())
}

fn reference_type(dtype: DType) -> safetensors::Dtype {
    match dtype {
        DType::F16 => safetensors::Dtype::F16,
        DType::Bf16 => safetensors::Dtype::BF16,
        DType::F32 => safetensors::Dtype::F32,
        DType::F64 => safetensors::Dtype::F64,
        DType::I8 => safetensors::Dtype::I8,
        DType::I16 => safetensors::Dtype::I16,
        DType::I32 => safetensors::Dtype::I32,
        DType::I64 => safetensors::Dtype::I64,
        DType::U8 => safetensors::Dtype::U8,
        DType::U16 => safetensors::Dtype::U16,
        DType::U32 => safetensors::Dtype::U32,
        DType::U64 => safetensors::Dtype::U64,
        DType::Bool => safetensors::Dtype::BOOL,
    }
}

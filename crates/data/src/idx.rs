//! IDX files, the format of MNIST: a big-endian header, then bytes.

use std::path::Path;

use flare_core::fault::Faults;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::Error;
use crate::file::{Content, Input, MAX_FILE_BYTES, is_plain_name};
use crate::source::{LabelFault, check_label, check_numbers, class_count, scaled};

/// The magic number of unsigned bytes in three dimensions.
const IMAGES: u32 = 0x0803;
/// The magic number of unsigned bytes in one dimension.
const LABELS: u32 = 0x0801;

/// How two IDX files in one folder are read: unsigned bytes, images in three dimensions and labels in
/// one. Either may be packed by gzip, whatever its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdxOptions {
    /// The name of the file with the images, such as `train-images-idx3-ubyte.gz`.
    pub images: String,
    /// The name of the file with the labels, such as `train-labels-idx1-ubyte.gz`.
    pub labels: String,
    /// How many classes there are; a label must be below it. Default: one more than the largest label,
    /// which only does where all clients' data are read as one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<u32>,
    /// Each feature is divided by this number. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f32>,
}

impl IdxOptions {
    /// Features taken as they are.
    pub fn new(images: &str, labels: &str) -> Self {
        Self { images: images.to_owned(), labels: labels.to_owned(), classes: None, scale: None }
    }

    /// Checks what can be checked without a file.
    ///
    /// # Errors
    /// Names each option that can hold for no file.
    pub(crate) fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::default();
        check_numbers(self.classes, self.scale, &mut faults);
        for (field, name) in [("images", &self.images), ("labels", &self.labels)] {
            let (shown, expected) = (format_args!("{name:?}"), "the name of a file in the folder");
            faults.expect(is_plain_name(name), field, shown, expected);
        }
        faults.result()
    }
}

/// One IDX file of unsigned bytes.
pub(crate) struct Idx {
    /// The number of items, and then the size of each dimension of an item.
    pub(crate) shape: Vec<usize>,
    content: Content,
}

impl Idx {
    /// The images in a file.
    ///
    /// # Errors
    /// When it is no IDX file of images, or not as long as its header says.
    pub(crate) fn images(path: &Path) -> Result<Self, Error> {
        Self::read(path, IMAGES)
    }

    /// The labels in a file.
    ///
    /// # Errors
    /// When it is no IDX file of labels, or not as long as its header says.
    pub(crate) fn labels(path: &Path) -> Result<Self, Error> {
        Self::read(path, LABELS)
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.shape[0]
    }

    /// How many bytes an item has.
    pub(crate) fn item_len(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// The bytes of all items.
    pub(crate) fn items(&self) -> &[u8] {
        &self.content.bytes[header_len(self.shape.len())..]
    }

    /// A file with these items of this file only.
    pub(crate) fn with_items(&self, numbers: &[u32]) -> Vec<u8> {
        let start = header_len(self.shape.len());
        let mut bytes = self.content.bytes[..start].to_vec();
        bytes[4..8].copy_from_slice(&(numbers.len() as u32).to_be_bytes());
        let (items, length) = (self.items(), self.item_len());
        for number in numbers {
            bytes.extend(&items[*number as usize * length..][..length]);
        }
        bytes
    }

    /// Reads the file, which should begin with `expected`, no further than its header is sound.
    fn read(path: &Path, expected: u32) -> Result<Self, Error> {
        let mut input = Input::open(path)?;
        input.read_more(4)?;
        let magic = word(&input.content, 0)?;
        if magic != expected {
            return Err(input.content.fault(magic_fault(magic, expected)));
        }
        let dimensions = magic as usize & 0xff;
        input.read_more(4 * dimensions as u64)?;
        let mut shape = Vec::new();
        for i in 1..=dimensions {
            shape.push(word(&input.content, i)? as usize);
        }
        // Three factors below 2^32 at most.
        let claimed: u128 = shape.iter().map(|size| *size as u128).product();
        if claimed == 0 || claimed > u128::from(MAX_FILE_BYTES) {
            return Err(input.content.fault(format!(
                "its header claims the shape {shape:?}, which is {claimed} bytes: from 1 to {MAX_FILE_BYTES} are read"
            )));
        }
        input.read_more(claimed as u64 + 1)?;
        let content = input.content;
        let present = content.bytes.len() - header_len(dimensions);
        if claimed != present as u128 {
            let more = if present as u128 > claimed { "more" } else { "less" };
            return Err(content.fault(format!(
                "its header claims the shape {shape:?}, which is {claimed} bytes, but {more} follow it: get the file again"
            )));
        }
        Ok(Self { shape, content })
    }
}

/// Reads the data set in the folder `path`.
///
/// # Errors
/// When one of its files is not as the options say.
pub(crate) fn read(path: &Path, options: &IdxOptions) -> Result<Dataset, Error> {
    let (images, labels) = pair(path, options)?;
    let columns = images.item_len();
    let mut classes = Vec::with_capacity(labels.len());
    for (i, label) in labels.items().iter().enumerate() {
        let fault = |LabelFault(fault)| labels.content.fault(format!("item {i}, from 0: {fault}"));
        classes.push(check_label(i128::from(*label), options.classes).map_err(fault)?);
    }
    let mut features = Vec::with_capacity(images.items().len());
    for byte in images.items() {
        let value = scaled(f32::from(*byte), options.scale).ok_or_else(|| {
            let expected = "one that leaves each feature in the range of a 32-bit float";
            Error::options("scale", options.scale.unwrap_or(1.0), expected)
        })?;
        features.push(value);
    }
    Ok(Dataset {
        classes: class_count(options.classes, &classes),
        columns,
        feature_names: (0..columns).map(|i| format!("p{i}")).collect(),
        features,
        labels: classes,
    })
}

/// Both files in the folder `path`, which must have as many items.
pub(crate) fn pair(path: &Path, options: &IdxOptions) -> Result<(Idx, Idx), Error> {
    options.check().map_err(Error::Options)?;
    let images = Idx::images(&path.join(&options.images))?;
    let labels = Idx::labels(&path.join(&options.labels))?;
    if images.len() != labels.len() {
        return Err(labels.content.fault(format!(
            "it has {} labels, but {} has {} images: do they belong together?",
            labels.len(),
            images.content.path.display(),
            images.len()
        )));
    }
    Ok((images, labels))
}

/// The length of a header with so many dimensions.
fn header_len(dimensions: usize) -> usize {
    4 + 4 * dimensions
}

/// The header's word `i`, big-endian.
fn word(content: &Content, i: usize) -> Result<u32, Error> {
    let bytes = content.bytes.get(4 * i..4 * i + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_be_bytes).ok_or_else(|| {
        content.fault(format!(
            "it is not IDX, or cut off: its {} bytes are no whole header",
            content.bytes.len()
        ))
    })
}

/// What a magic number that is not the expected one says.
fn magic_fault(magic: u32, expected: u32) -> String {
    let wanted = format!("magic 0x{expected:x} ({}) is expected", kind(expected));
    let [zero, also_zero, element, dimensions] = magic.to_be_bytes();
    if (zero, also_zero) == (0, 0) {
        return match (element, dimensions) {
            (0x08, 1 | 3) => format!("magic 0x{magic:x} ({}) where {wanted}", kind(magic)),
            (0x08, _) => format!("magic 0x{magic:x} ({dimensions} dimensions) where {wanted}"),
            _ => format!(
                "element type 0x{element:02X} ({}), but only 0x08 (unsigned byte) is read: convert the file",
                element_type(element)
            ),
        };
    }
    if (element, dimensions) == (0, 0) && matches!(also_zero, 0x08..=0x0e) {
        return format!(
            "magic 0x{magic:08x}: its header is little-endian, and IDX is big-endian: convert it"
        );
    }
    format!("it is not IDX: it begins with magic 0x{magic:08x} where {wanted}")
}

/// What the files with one of the two magic numbers hold.
fn kind(magic: u32) -> &'static str {
    if magic == LABELS { "labels" } else { "images" }
}

/// The name of an element type.
fn element_type(element: u8) -> &'static str {
    match element {
        0x09 => "signed byte",
        0x0b => "16-bit integer",
        0x0c => "32-bit integer",
        0x0d => "32-bit float",
        0x0e => "64-bit float",
        _ => "unknown",
    }
}

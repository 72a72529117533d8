//! Layouts: which tensors there are, and where in the buffer each of them lies.

use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use super::{DType, Error, Fault, MAX_NAME, MAX_RANK, METADATA, NameFault, write};

/// One tensor of a [`Layout`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: Arc<str>,
    /// The type of its elements.
    pub dtype: DType,
    /// Its dimensions, row-major; none for a scalar.
    pub shape: Vec<usize>,
    /// Where its data lie in the whole buffer, header included.
    pub(super) range: Range<usize>,
}

/// A description of a set of tensors, in the canonical order of their data. Cheap to clone.
///
/// Two layouts are equal if and only if they consist of the same tensors: the order in which those
/// were given does not count.
#[derive(Clone)]
pub struct Layout {
    inner: Arc<Inner>,
}

struct Inner {
    /// In the order of the data.
    infos: Vec<TensorInfo>,
    /// Indices into `infos`, sorted by name.
    by_name: Vec<usize>,
    /// All bytes before the data section; they follow from `infos` and determine them.
    prefix: Vec<u8>,
    total: usize,
}

impl TensorInfo {
    /// The number of elements: 1 for a scalar, 0 if any dimension is 0.
    pub fn elements(&self) -> usize {
        self.range.len() / self.dtype.size()
    }

    /// The number of bytes of its data.
    pub fn bytes(&self) -> usize {
        self.range.len()
    }

    /// Where its data lie in the whole buffer, header included.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

impl Layout {
    /// Lays out tensors of the given names, types and shapes.
    ///
    /// # Errors
    /// A name that is empty, too long, taken or contains control characters; more than
    /// [`MAX_RANK`] dimensions; sizes that cannot be addressed; a header above
    /// [`MAX_HEADER`](super::MAX_HEADER).
    pub fn new<N, S>(tensors: impl IntoIterator<Item = (N, DType, S)>) -> Result<Self, Error>
    where
        N: Into<Arc<str>>,
        S: Into<Vec<usize>>,
    {
        let mut infos = Vec::new();
        for (name, dtype, shape) in tensors {
            infos.push(sized(name.into(), dtype, shape.into())?);
        }
        infos.sort_by(|a, b| order(a).cmp(&order(b)));
        let by_name = by_name(&infos)?;
        let data = place(&mut infos);
        let prefix = write::prefix(&infos, &by_name)?;
        let total = data.and_then(|data| data.checked_add(prefix.len()));
        let too_large = Error::TooLarge { tensors: infos.len(), header: prefix.len() - 8 };
        let total = total.filter(|total| isize::try_from(*total).is_ok()).ok_or(too_large)?;
        for info in &mut infos {
            info.range.start += prefix.len();
            info.range.end += prefix.len();
        }
        Ok(Self { inner: Arc::new(Inner { infos, by_name, prefix, total }) })
    }

    /// The layout of no tensors.
    pub fn empty() -> Self {
        static EMPTY: LazyLock<Layout> = LazyLock::new(|| {
            Layout::new([] as [(&str, DType, Vec<usize>); 0]).expect("no tensor can be wrong")
        });
        EMPTY.clone()
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.inner.infos.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.inner.infos.is_empty()
    }

    /// The tensors in the order of their data: by descending element size, then by name.
    pub fn iter(&self) -> std::slice::Iter<'_, TensorInfo> {
        self.inner.infos.iter()
    }

    /// The tensors in the order of their data.
    pub fn infos(&self) -> &[TensorInfo] {
        &self.inner.infos
    }

    /// The tensor of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        self.index(name).map(|index| &self.inner.infos[index])
    }

    /// The place of the tensor of that name in the order of the data.
    pub fn index(&self, name: &str) -> Option<usize> {
        let Inner { infos, by_name, .. } = &*self.inner;
        let found = by_name.binary_search_by(|&index| (*infos[index].name).cmp(name));
        found.ok().map(|place| by_name[place])
    }

    /// The bytes before the data: the header's length, the header and its padding.
    pub fn prefix(&self) -> &[u8] {
        &self.inner.prefix
    }

    /// The bytes of the whole buffer, header included.
    pub fn total(&self) -> usize {
        self.inner.total
    }

    /// The bytes of all data.
    pub fn data_bytes(&self) -> usize {
        self.total() - self.prefix().len()
    }

    pub(super) fn require(&self, name: &str) -> Result<&TensorInfo, Error> {
        let missing = || Error::Missing { name: name.to_owned(), tensors: self.len() };
        self.get(name).ok_or_else(missing)
    }
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner) || self.prefix() == other.prefix()
    }
}

impl Eq for Layout {}

impl Default for Layout {
    fn default() -> Self {
        Self::empty()
    }
}

impl<'a> IntoIterator for &'a Layout {
    type Item = &'a TensorInfo;
    type IntoIter = std::slice::Iter<'a, TensorInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Contract 28: any text without control characters, of at most 255 bytes; and not empty, since such
/// a name could not be shown.
pub(super) fn check_name(name: &str) -> Result<(), NameFault> {
    if name.is_empty() {
        return Err(NameFault::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(NameFault::TooLong { bytes: name.len() });
    }
    if let Some(character) = name.chars().find(|character| character.is_control()) {
        return Err(NameFault::Control { character });
    }
    if name == METADATA {
        return Err(NameFault::Reserved);
    }
    Ok(())
}

/// The bytes of a tensor. A zero dimension does not hide others that overflow, wherever it stands.
pub(super) fn size_of_data(dtype: DType, shape: &[usize]) -> Option<usize> {
    let bound = shape.iter().try_fold(dtype.size(), |size, &dim| size.checked_mul(dim.max(1)))?;
    isize::try_from(bound).ok()?;
    Some(if shape.contains(&0) { 0 } else { bound })
}

/// The canonical order of the data.
pub(super) fn order(info: &TensorInfo) -> (Reverse<usize>, &str) {
    (Reverse(info.dtype.size()), &info.name)
}

/// A checked tensor, whose range begins at 0 for the time being.
fn sized(name: Arc<str>, dtype: DType, shape: Vec<usize>) -> Result<TensorInfo, Error> {
    check_name(&name).map_err(|fault| Error::tensor(&name, Fault::Name(fault)))?;
    if shape.len() > MAX_RANK {
        return Err(Error::tensor(&name, Fault::Rank { rank: shape.len() }));
    }
    match size_of_data(dtype, &shape) {
        Some(size) => Ok(TensorInfo { name, dtype, shape, range: 0..size }),
        None => Err(Error::tensor(&name, Fault::Shape { shape, dtype })),
    }
}

fn by_name(infos: &[TensorInfo]) -> Result<Vec<usize>, Error> {
    let mut by_name: Vec<usize> = (0..infos.len()).collect();
    by_name.sort_by_key(|&index| &*infos[index].name);
    for pair in by_name.windows(2) {
        let name = &infos[pair[0]].name;
        if *name == infos[pair[1]].name {
            return Err(Error::Duplicate { name: name.to_string() });
        }
    }
    Ok(by_name)
}

/// Puts one tensor behind the other; returns the end of the last, unless it cannot be addressed.
fn place(infos: &mut [TensorInfo]) -> Option<usize> {
    let mut end = 0_usize;
    for info in infos {
        let start = end;
        end = start.checked_add(info.range.len())?;
        info.range = start..end;
    }
    Some(end)
}

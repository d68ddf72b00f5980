// SPDX-License-Identifier: GPL-2.0-or-later
//! Memory files of the guest's nodes, and which of their pages are in the balloon.
//!
//! The hypervisor maps guest memory from files, and says which regions of the guest's addresses
//! come from which file. A node is one file or more: files are taken in the order of their
//! lowest guest address, and given to the nodes of the command line in order, until their sizes
//! add up. What a guest puts into the balloon is punched out of the file, so that the host has
//! it back; a bitmap per file knows which pages these are.
//!
//! Everything counts in pages of 4 KiB and guest frames. Requests are a guest's: a range is
//! looked at by [`Memory::holds`] before anything else takes it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;

use fixedbitset::FixedBitSet;
use rustix::fs::{FallocateFlags, FileType, fallocate, fstat, fstatfs};
use thiserror::Error;
use tiered_balloon_api::Size;
use tiered_balloon_wire::PAGE_SIZE;

/// A node as the command line gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeSize {
    /// ACPI proximity domain.
    pub pxm: u32,
    /// Its pages.
    pub pages: u64,
}

/// A region of guest memory as the hypervisor gives it, in bytes.
#[derive(Clone, Debug)]
pub struct Region {
    /// Guest address of its first byte.
    pub address: u64,
    /// Its length.
    pub bytes: u64,
    /// The file that it maps.
    pub file: Arc<File>,
    /// Where in the file it begins.
    pub offset: u64,
}

/// Why regions are not the nodes of the command line.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// A file cannot be asked for its size.
    #[error("a memory file of the guest: {0}")]
    File(#[from] io::Error),
    /// Pages of 4 KiB are not pages of it.
    #[error("guest memory at {0:#x} is not aligned to pages")]
    Unaligned(u64),
    /// A node's size differs from what the hypervisor has.
    #[error("--node {pxm}={}: the guest's memory in its place has {}", Size(*said), Size(*found))]
    Size {
        /// The node.
        pxm: u32,
        /// Its bytes by the command line.
        said: u64,
        /// Bytes of the files that are in its place.
        found: u64,
    },
    /// The guest has more memory than the command line says.
    #[error("the guest has {} of memory that no --node names", Size(*.0))]
    Left(u64),
}

/// Device and inode of a file.
type FileId = (u64, u64);

/// A file that a node, or a part of it, is mapped from.
struct MemoryFile {
    id: FileId,
    /// None while no hypervisor is connected: its memory must not outlive it.
    file: Option<Arc<File>>,
    node: usize,
    /// Pages of 4 KiB in a page of the file.
    granule: usize,
    /// By page of the file.
    ballooned: FixedBitSet,
    /// How many bits of `ballooned` are set.
    count: u64,
}

/// Guest frames that follow each other and lie in one file.
struct Mapped {
    frames: Range<u64>,
    /// Index in `Memory::files`.
    file: usize,
    /// Page of the file that the first frame is.
    page: u64,
}

/// Memory of all nodes.
pub struct Memory {
    nodes: Vec<NodeSize>,
    files: Vec<MemoryFile>,
    /// In the order of frames. Empty if the hypervisor's regions are not our nodes.
    mapped: Vec<Mapped>,
}

impl Memory {
    /// Returns the memory of nodes that no hypervisor has named files of yet.
    pub fn new(nodes: Vec<NodeSize>) -> Memory {
        Memory {
            nodes,
            files: Vec::new(),
            mapped: Vec::new(),
        }
    }

    /// Takes the regions of the guest. Of files that were known before, what is in the balloon
    /// is remembered. If the regions are not the nodes, there is no memory until they are. Once
    /// they were, regions of further files, as of a device, are nobody's: returns their bytes.
    pub fn map(&mut self, regions: &[Region]) -> Result<u64, LayoutError> {
        let mut layout = Layout::of(&self.nodes, regions);
        let mut others = 0;
        if layout.is_err() {
            let (ours, rest): (Vec<_>, Vec<_>) =
                regions.iter().cloned().partition(|r| self.knows(&r.file));
            if let Ok(known) = Layout::of(&self.nodes, &ours) {
                layout = Ok(known);
                others = rest
                    .iter()
                    .fold(0, |sum: u64, r| sum.saturating_add(r.bytes));
            }
        }
        if layout.is_err() {
            self.unmap();
        }
        let layout = layout?;
        let mut known = std::mem::take(&mut self.files);
        self.files = layout.files;
        self.mapped = layout.mapped;
        for file in &mut self.files {
            if let Some(known) = known.iter_mut().find(|known| known.id == file.id) {
                let pages = file.ballooned.len();
                file.ballooned = std::mem::take(&mut known.ballooned);
                file.ballooned.grow(pages);
                file.count = known.count;
            }
        }
        Ok(others)
    }

    /// Whether a file was one of a node's when memory was last accepted.
    fn knows(&self, file: &File) -> bool {
        fstat(file).is_ok_and(|stat| {
            let id = (stat.st_dev, stat.st_ino);
            self.files.iter().any(|known| known.id == id)
        })
    }

    /// Lets go of the files. What is in the balloon is remembered until there are others.
    pub fn unmap(&mut self) {
        self.mapped.clear();
        for file in &mut self.files {
            file.file = None;
        }
    }

    /// Whether the hypervisor's regions are our nodes.
    pub fn is_mapped(&self) -> bool {
        !self.mapped.is_empty()
    }

    /// Whether there are frames from `frame` on, and all of them are memory of the node.
    pub fn holds(&self, node: usize, frame: u64, pages: u64) -> bool {
        let Some(end) = frame.checked_add(pages) else {
            return false;
        };
        let mut at = frame;
        for part in &self.mapped[self.first_after(frame)..] {
            if at >= end || part.frames.start > at || self.files[part.file].node != node {
                break;
            }
            at = part.frames.end;
        }
        pages > 0 && at >= end
    }

    /// Returns the node of a frame.
    pub fn node_of(&self, frame: u64) -> Option<usize> {
        let part = self.mapped.get(self.first_after(frame))?;
        (part.frames.contains(&frame)).then(|| self.files[part.file].node)
    }

    /// Puts frames that a node holds into the balloon: the host gets their memory back, whether
    /// they were in it or not. Pages of a file of huge pages go when `frames` has all of one.
    /// Returns how many were not in it. If it fails, the balloon is what it was, but some of the
    /// memory may be gone.
    pub fn inflate(&mut self, frames: Range<u64>) -> io::Result<u64> {
        let parts: Vec<_> = self.parts(frames).collect();
        for (file, pages) in &parts {
            self.files[*file].punch_whole(pages)?;
        }
        let mut new = 0;
        for (file, pages) in parts {
            let file = &mut self.files[file];
            let absent = file.ballooned.count_zeroes(pages.clone()) as u64;
            file.ballooned.insert_range(pages);
            file.count += absent;
            new += absent;
        }
        Ok(new)
    }

    /// Takes frames that a node holds out of the balloon. Returns how many were in it.
    pub fn deflate(&mut self, frames: Range<u64>) -> u64 {
        let parts: Vec<_> = self.parts(frames).collect();
        let mut old = 0;
        for (file, pages) in parts {
            let file = &mut self.files[file];
            let present = file.ballooned.count_ones(pages.clone()) as u64;
            file.ballooned.remove_range(pages);
            file.count -= present;
            old += present;
        }
        old
    }

    /// Gives the memory of frames that a node holds back to the host, as far as they are whole
    /// pages of their file.
    pub fn discard(&self, frames: Range<u64>) -> io::Result<()> {
        for (file, pages) in self.parts(frames) {
            self.files[file].punch_whole(&pages)?;
        }
        Ok(())
    }

    /// Returns how many pages of a node are in the balloon.
    pub fn ballooned(&self, node: usize) -> u64 {
        self.files_of(node).map(|file| file.count).sum()
    }

    /// Forgets what is in the balloon.
    pub fn forget(&mut self) {
        for file in &mut self.files {
            file.ballooned.clear();
            file.count = 0;
        }
    }

    /// Returns how many bytes the host has allocated for a node; 0 without a hypervisor.
    pub fn resident(&self, node: usize) -> u64 {
        self.files_of(node)
            .filter_map(|file| fstat(file.file.as_ref()?).ok())
            .map(|stat| u64::try_from(stat.st_blocks).unwrap_or(0) * 512)
            .sum()
    }

    fn files_of(&self, node: usize) -> impl Iterator<Item = &MemoryFile> {
        self.files.iter().filter(move |file| file.node == node)
    }

    /// Index of the first part that ends after `frame`.
    fn first_after(&self, frame: u64) -> usize {
        self.mapped.partition_point(|part| part.frames.end <= frame)
    }

    /// Yields the files that frames lie in, by index, and which of their pages the frames are.
    fn parts(&self, frames: Range<u64>) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.mapped[self.first_after(frames.start)..]
            .iter()
            .take_while(move |part| part.frames.start < frames.end)
            .map(move |part| {
                let from = frames.start.max(part.frames.start);
                let to = frames.end.min(part.frames.end);
                let first = index(part.page + (from - part.frames.start));
                (part.file, first..first + index(to - from))
            })
    }
}

/// A number of pages as an index; pages that are mapped are fewer than addresses.
fn index(pages: u64) -> usize {
    usize::try_from(pages).expect("more pages than addresses")
}

impl MemoryFile {
    /// Punches out the pages as far as they are whole pages of the file: the others of a huge
    /// page may be in use, whatever the bitmap says, since a guest may ask for pages late.
    fn punch_whole(&self, pages: &Range<usize>) -> io::Result<()> {
        self.punch(&whole_granules(pages, self.granule))
    }

    fn punch(&self, pages: &Range<usize>) -> io::Result<()> {
        if pages.is_empty() {
            return Ok(());
        }
        let file = self
            .file
            .as_ref()
            .ok_or(io::Error::from(io::ErrorKind::NotConnected))?;
        fallocate(
            file.as_fd(),
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            pages.start as u64 * PAGE_SIZE,
            pages.len() as u64 * PAGE_SIZE,
        )?;
        Ok(())
    }
}

/// Returns the pages without those at both ends that are only a part of a granule.
fn whole_granules(pages: &Range<usize>, granule: usize) -> Range<usize> {
    let start = pages.start.next_multiple_of(granule);
    start..(pages.end - pages.end % granule).max(start)
}

/// Files and regions that were found to be the nodes.
struct Layout {
    files: Vec<MemoryFile>,
    mapped: Vec<Mapped>,
}

impl Layout {
    fn of(nodes: &[NodeSize], regions: &[Region]) -> Result<Layout, LayoutError> {
        let mut regions: Vec<&Region> = regions.iter().collect();
        regions.sort_by_key(|region| region.address);
        let mut layout = Layout {
            files: Vec::new(),
            mapped: Vec::new(),
        };
        for region in regions {
            layout.add(region)?;
        }
        layout.assign(nodes)?;
        for part in &layout.mapped {
            let pages = part.frames.end - part.frames.start;
            let file = &mut layout.files[part.file];
            file.ballooned.grow(index(part.page + pages));
        }
        Ok(layout)
    }

    fn add(&mut self, region: &Region) -> Result<(), LayoutError> {
        let aligned = |bytes: u64| bytes.is_multiple_of(PAGE_SIZE);
        if !(aligned(region.address) && aligned(region.bytes) && aligned(region.offset)) {
            return Err(LayoutError::Unaligned(region.address));
        }
        let stat = fstat(&region.file).map_err(io::Error::from)?;
        let id = (stat.st_dev, stat.st_ino);
        let file = match self.files.iter().position(|file| file.id == id) {
            Some(file) => file,
            None => {
                self.files.push(MemoryFile {
                    id,
                    file: Some(region.file.clone()),
                    node: usize::MAX,
                    granule: granule(&region.file)?,
                    ballooned: FixedBitSet::new(),
                    count: 0,
                });
                self.files.len() - 1
            }
        };
        let (page, pages) = (region.offset / PAGE_SIZE, region.bytes / PAGE_SIZE);
        let frame = region.address / PAGE_SIZE;
        self.mapped.push(Mapped {
            frames: frame..frame + pages,
            file,
            page,
        });
        Ok(())
    }

    /// Gives files to nodes; both are in order.
    fn assign(&mut self, nodes: &[NodeSize]) -> Result<(), LayoutError> {
        let sizes: Vec<u64> = (0..self.files.len())
            .map(|file| self.size(file))
            .collect::<io::Result<_>>()?;
        let mut rest = self.files.iter_mut().zip(sizes).peekable();
        for (index, node) in nodes.iter().enumerate() {
            let said = node.pages * PAGE_SIZE;
            let mut found: u64 = 0;
            while found < said {
                let Some((file, bytes)) = rest.next() else {
                    break;
                };
                file.node = index;
                found = found.saturating_add(bytes);
            }
            if found != said {
                let pxm = node.pxm;
                return Err(LayoutError::Size { pxm, said, found });
            }
        }
        match rest.fold(0, |left: u64, (_, bytes)| left.saturating_add(bytes)) {
            0 => Ok(()),
            left => Err(LayoutError::Left(left)),
        }
    }

    /// Returns the bytes of a file. Those of a device are the ones that are mapped, since it
    /// does not say; a file may have some that are not, under the addresses of a graphics card.
    fn size(&self, file: usize) -> io::Result<u64> {
        let stat = match &self.files[file].file {
            Some(file) => fstat(file)?,
            None => return Ok(0),
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            return Ok(u64::try_from(stat.st_size).unwrap_or(0));
        }
        let mapped = self.mapped.iter().filter(|part| part.file == file);
        let pages: u64 = mapped.map(|part| part.frames.end - part.frames.start).sum();
        Ok(pages * PAGE_SIZE)
    }
}

/// Returns how many pages of 4 KiB are in a page of the file.
fn granule(file: &File) -> io::Result<usize> {
    const HUGETLBFS_MAGIC: u64 = 0x9584_58f6;
    let stat = fstatfs(file)?;
    let is_huge = u64::try_from(stat.f_type).is_ok_and(|magic| magic == HUGETLBFS_MAGIC);
    let bytes = u64::try_from(stat.f_bsize).unwrap_or(PAGE_SIZE);
    Ok(if is_huge {
        index((bytes / PAGE_SIZE).max(1))
    } else {
        1
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use rustix::fs::{MemfdFlags, memfd_create};

    use super::*;

    const HUGE: usize = 8;
    const PAGES: usize = 4 * HUGE;

    /// Memory of a node whose file says that its pages are huge.
    fn memory() -> (Arc<File>, Memory) {
        let file = File::from(memfd_create("huge", MemfdFlags::CLOEXEC).unwrap());
        let bytes = PAGES as u64 * PAGE_SIZE;
        let bytes_of = vec![1; usize::try_from(bytes).unwrap()];
        file.write_all_at(&bytes_of, 0).unwrap();
        let file = Arc::new(file);
        let pages = PAGES as u64;
        let mut memory = Memory::new(vec![NodeSize { pxm: 0, pages }]);
        let region = Region {
            address: 0,
            bytes,
            file: file.clone(),
            offset: 0,
        };
        memory.map(&[region]).unwrap();
        memory.files[0].granule = HUGE;
        (file, memory)
    }

    fn resident(file: &File) -> usize {
        let bytes = file.metadata().unwrap().blocks() * 512;
        usize::try_from(bytes / PAGE_SIZE).unwrap()
    }

    #[test]
    fn nothing_is_discarded_that_no_request_names() {
        let (file, mut memory) = memory();
        let steps: [(Range<u64>, usize); 8] = [
            (0..7, 0),
            (9..15, 0),
            // the last of the first, and the first of the second: others of these may be used
            (7..9, 0),
            (15..16, 0),
            (17..31, 0),
            (31..32, 0),
            (8..24, 2 * HUGE),
            (1..32, 3 * HUGE),
        ];
        for (frames, punched) in steps {
            memory.inflate(frames.clone()).unwrap();
            assert_eq!(resident(&file), PAGES - punched, "{frames:?}");
        }
        assert_eq!(memory.ballooned(0), PAGES as u64);
    }

    #[test]
    fn of_reported_pages_whole_huge_ones_go() {
        let (file, memory) = memory();
        memory.discard(1..8).unwrap();
        assert_eq!(resident(&file), PAGES);
        memory.discard(1..23).unwrap();
        assert_eq!(resident(&file), PAGES - HUGE);
    }

    #[test]
    fn a_balloon_is_what_it_was_when_the_host_fails() {
        let (_file, mut memory) = memory();
        memory.inflate(0..8).unwrap();
        // a hole cannot be punched into what is read alone
        let closed = File::open("/dev/null").unwrap();
        memory.files[0].file = Some(Arc::new(closed));
        assert!(memory.inflate(4..16).is_err());
        assert_eq!(memory.ballooned(0), 8);
        assert_eq!(memory.files[0].ballooned.count_ones(..), 8);
    }
}

//! What holds for parts: written, read back, damaged, and crafted to deceive.

use std::cell::RefCell;
use std::io;

use proptest::prelude::*;

use super::reader::ReadAt;
use super::table::Table;
use super::writer::Facts;
use super::*;

type Rows = (Vec<u64>, Vec<u64>);

impl ReadAt for &[u8] {
    fn read_at(&self, start_byte: u64, len: usize) -> io::Result<Vec<u8>> {
        let first = usize::try_from(start_byte).expect("a place in memory");
        let found = self.get(first..first + len);
        Ok(found.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }
}

/// The part of the rows, pushed in pieces that end at `cuts`.
fn part_in_pieces(k: u32, (codes, counts): &Rows, cuts: &[usize]) -> (Vec<u8>, Facts) {
    let mut part = Vec::new();
    let mut writer = PartWriter::new(&mut part, k, true).unwrap();
    let mut first = 0;
    for &cut in cuts.iter().chain([&codes.len()]) {
        writer
            .push(&codes[first..cut], &counts[first..cut])
            .unwrap();
        first = cut;
    }
    let (facts, _) = writer.finish().unwrap();
    (part, facts)
}

fn part_of(k: u32, rows: &Rows) -> Vec<u8> {
    part_in_pieces(k, rows, &[]).0
}

fn open(part: &[u8]) -> Result<PartReader<&[u8]>, ReadError> {
    PartReader::open(part, part.len() as u64)
}

fn rows_of(part: &[u8]) -> Result<Rows, ReadError> {
    let (mut codes, mut counts) = (Vec::new(), Vec::new());
    open(part)?.for_each_page(|page_codes, page_counts| {
        codes.extend_from_slice(page_codes);
        counts.extend_from_slice(page_counts);
        Ok(())
    })?;
    Ok((codes, counts))
}

/// Rows with gaps of every size that fits, the first and last code among them.
fn made_rows(k: u32, len: usize) -> Rows {
    let most = max_code(k);
    let step = if len > 1 { most / (len as u64 - 1) } else { 1 };
    let mut codes: Vec<_> = (0..len as u64)
        .map(|row| (row * step).saturating_add(row % 7 % step))
        .collect();
    if let [_, .., last] = codes.as_mut_slice() {
        *last = most;
    }
    let counts = (0..len as u64).map(|row| match row % 50 {
        0 => 1 + row % 1000,
        7 => 2,
        _ => 1,
    });
    (codes, counts.collect())
}

fn rows(longest: usize) -> impl Strategy<Value = (u32, Rows)> {
    let k = prop_oneof![Just(9_u32), Just(21), Just(31), Just(32), 9_u32..=32];
    let count =
        prop_oneof![8 => 1_u64..4, 1 => 1_u64..1000, 1 => any::<u64>().prop_map(|n| n.max(1))];
    let gap_bits = 1_u32..=64;
    (k, gap_bits).prop_flat_map(move |(k, gap_bits)| {
        let highest = max_code(k) & u64::MAX >> (64 - gap_bits);
        let codes = prop::collection::btree_set(0..=highest, 0..longest);
        (
            codes,
            prop::collection::vec(count.clone(), longest),
            any::<bool>(),
        )
            .prop_map(move |(codes, counts, at_the_end)| {
                let shift = if at_the_end { max_code(k) - highest } else { 0 };
                let codes: Vec<_> = codes.into_iter().map(|code| code + shift).collect();
                let counts = counts[..codes.len()].to_vec();
                (k, (codes, counts))
            })
    })
}

#[test]
fn rows_are_read_back_at_every_boundary_of_pages_and_groups() {
    for k in [9, 21, 31, 32] {
        for len in [
            0,
            1,
            2,
            16_383,
            16_384,
            16_385,
            1 << 18,
            1 << 20,
            (1 << 20) + 1,
        ] {
            if k == 9 && len > 1 << 18 {
                continue;
            }
            let rows = made_rows(k, len);
            let (part, facts) = part_in_pieces(k, &rows, &[]);
            let expected = Facts {
                rows: len as u64,
                total: rows.1.iter().map(|&count| u128::from(count)).sum(),
                codes: rows.0.first().copied().zip(rows.0.last().copied()),
                size_bytes: part.len() as u64,
            };
            assert_eq!(facts, expected, "k = {k}, {len} rows");
            assert!(rows_of(&part).unwrap() == rows, "k = {k}, {len} rows");
            let reader = open(&part).unwrap();
            assert_eq!((reader.k(), reader.is_canonical()), (k, true));
            assert_eq!((reader.rows(), reader.codes()), (facts.rows, facts.codes));
        }
    }
}

#[test]
fn counts_of_64_bits_are_summed_without_overflow() {
    let rows = (vec![0, u64::MAX], vec![u64::MAX, 1 << 63]);
    let (part, facts) = part_in_pieces(32, &rows, &[1]);
    assert_eq!(facts.total, u128::from(u64::MAX) + (1 << 63));
    assert_eq!(rows_of(&part).unwrap(), rows);
}

#[test]
fn dictionaries_of_every_width_are_read_back() {
    for distinct in [1, 256, 257, 65_536, 65_537, 200_000] {
        let codes: Vec<_> = (0..250_000).collect();
        let counts = (0..250_000).map(|row| 1 + row % distinct * 3).collect();
        let rows = (codes, counts);
        assert!(
            rows_of(&part_of(12, &rows)).unwrap() == rows,
            "{distinct} counts"
        );
    }
}

#[test]
fn rows_out_of_order_or_out_of_range_are_refused_for_good() {
    let refused = |k, pushes: &[(&[u64], &[u64])]| {
        let mut writer = PartWriter::new(io::sink(), k, false).unwrap();
        let (last, before) = pushes.split_last().unwrap();
        for (codes, counts) in before {
            writer.push(codes, counts).unwrap();
        }
        let refusal = writer
            .push(last.0, last.1)
            .and_then(|()| writer.finish().map(drop));
        refusal.unwrap_err().to_string()
    };
    assert_eq!(
        refused(9, &[(&[3, 5, 5], &[1, 1, 1])]),
        "the codes of k-mers must ascend, but 5 follows 5"
    );
    assert_eq!(
        refused(9, &[(&[3, 7], &[1, 1]), (&[6], &[1])]),
        "the codes of k-mers must ascend, but 6 follows 7"
    );
    assert_eq!(
        refused(9, &[(&[1 << 18], &[1])]),
        "262144 is no code of a k-mer with k = 9"
    );
    assert_eq!(
        refused(31, &[(&[1 << 62], &[1])]),
        "4611686018427387904 is no code of a k-mer with k = 31"
    );
    assert_eq!(
        refused(9, &[(&[1, 2], &[1, 0])]),
        "a k-mer with a count of 0"
    );
    assert_eq!(
        refused(9, &[(&[1, 2], &[1])]),
        "2 k-mer codes, but 1 counts"
    );

    let page: Vec<_> = (0..PAGE_ROWS as u64).collect();
    let counts = vec![1; PAGE_ROWS];
    assert_eq!(
        refused(9, &[(&page, &counts), (&page, &counts)]),
        "the codes of k-mers must ascend, but 0 follows 16383"
    );
    let mut writer = PartWriter::new(io::sink(), 9, false).unwrap();
    writer.push(&[1, 0], &[1]).unwrap_err();
    writer.push(&[0, 1], &[1, 1]).unwrap_err();
    assert!(writer.finish().is_err());
    for k in [0, 8, 33] {
        assert!(PartWriter::new(io::sink(), k, false).is_err());
    }
}

/// Pins the encoder and zstd: other bytes need another format version.
#[test]
fn the_bytes_are_those_of_this_format_version() {
    let part = part_of(31, &made_rows(31, 40_000));
    let crc = crate::checksum::crc64nvme(&part, 0);
    assert_eq!(
        (part.len(), format!("{crc:016x}").as_str()),
        (19308, "547ef0b2ad3cca36")
    );
}

#[test]
fn every_changed_byte_is_found() {
    let mut rows = made_rows(31, 100);
    rows.1[50] = 1 << 40;
    let part = part_of(31, &rows);
    for place in 0..part.len() {
        for flipped in [1, 0x80, 0xff] {
            let mut damaged = part.clone();
            damaged[place] ^= flipped;
            assert!(rows_of(&damaged).is_err(), "byte {place}");
            match open(&damaged).and_then(|reader| reader.get(&rows.0)) {
                Ok(counts) => assert!(counts == rows.1, "byte {place}"),
                Err(_) => continue,
            }
        }
        assert!(rows_of(&part[..place]).is_err(), "cut at {place}");
    }
}

#[test]
fn looking_up_reads_only_the_pages_that_may_hold_a_code() {
    struct Watched<'a>(&'a [u8], RefCell<Vec<usize>>);
    impl ReadAt for Watched<'_> {
        fn read_at(&self, start_byte: u64, len: usize) -> io::Result<Vec<u8>> {
            self.1.borrow_mut().push(len);
            self.0.read_at(start_byte, len)
        }
    }
    let codes: Vec<_> = (0..1_200_000).map(|row| row * 3).collect();
    let counts: Vec<_> = codes.iter().map(|code| 1 + code % 5).collect();
    let part = part_of(12, &(codes, counts));
    let source = Watched(&part, RefCell::default());
    let reader = PartReader::open(source, part.len() as u64).unwrap();

    let asked = [0, 1, 3, 3, 49_150, 49_152, 3_599_997, 3_599_998, 1 << 40];
    reader.source().1.borrow_mut().clear();
    assert_eq!(reader.get(&asked).unwrap(), [1, 0, 4, 4, 0, 3, 3, 0, 0]);
    // Three pages of codes, of counts, and two dictionaries.
    let reads = reader.source().1.take();
    assert_eq!(reads.len(), 8, "{reads:?}");

    // 49,150 lies between two pages; a page without it needs no counts.
    assert_eq!(reader.get(&[49_150]).unwrap(), [0]);
    assert!(reader.source().1.take().is_empty());
    assert_eq!(reader.get(&[49_153]).unwrap(), [0]);
    assert_eq!(reader.source().1.take().len(), 1);
    assert!(matches!(reader.get(&[5, 4]), Err(ReadError::Refused(_))));
    assert!(reader.get(&[]).unwrap().is_empty());
}

#[test]
fn a_part_is_not_read_beyond_its_end() {
    let part = part_of(9, &made_rows(9, 1000));
    let longer = [part.as_slice(), b"x"].concat();
    assert!(rows_of(&longer).is_err());
    // Bytes between the last page and the tail.
    let table = table_of(&part);
    let tail = footer::tail(&table);
    let (pages, _) = part.split_at(part.len() - tail.len());
    assert!(rows_of(&[pages, &tail].concat()).is_ok());
    assert!(rows_of(&[pages, b"x", &tail].concat()).is_err());
}

fn table_of(part: &[u8]) -> Table {
    open(part).unwrap().table().clone()
}

/// How a tail can lie, with a checksum that holds.
#[derive(Clone, Debug)]
enum Lie {
    K(u32),
    Rows(usize),
    Size(usize, u32),
    Bounds(usize, u64, u64),
    Dictionary(u32),
    Uncompressed(u64),
    GroupTwice,
    NoPages,
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        (0_u32..40).prop_map(Lie::K),
        (0_usize..1 << 21).prop_map(Lie::Rows),
        (0_usize..4, any::<u32>()).prop_map(|(page, size)| Lie::Size(page, size)),
        (0_usize..4, 0_u32..1000).prop_map(|(page, size)| Lie::Size(page, size)),
        (0_usize..4, any::<u64>(), any::<u64>())
            .prop_map(|(page, min, max)| { Lie::Bounds(page, min, max) }),
        any::<u32>().prop_map(Lie::Dictionary),
        any::<u64>().prop_map(Lie::Uncompressed),
        Just(Lie::GroupTwice),
        Just(Lie::NoPages),
    ]
}

fn told(mut table: Table, lie: &Lie) -> Table {
    let group = &mut table.groups[0];
    let pages = group.kmers.pages.iter_mut().chain(&mut group.counts.pages);
    match *lie {
        Lie::K(k) => table.k = k,
        Lie::Rows(rows) => group.rows = rows,
        Lie::Size(page, size) => {
            pages
                .skip(page)
                .take(1)
                .for_each(|page| page.size_bytes = size);
        }
        Lie::Bounds(page, min, max) => {
            pages
                .skip(page)
                .take(1)
                .for_each(|page| (page.min, page.max) = (min, max));
        }
        Lie::Dictionary(size) => group.counts.dictionary_bytes = size,
        Lie::Uncompressed(size) => group.counts.uncompressed_bytes = size,
        Lie::GroupTwice => table.groups.push(table.groups[0].clone()),
        Lie::NoPages => group.kmers.pages.clear(),
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_are_read_back((k, rows) in rows(400)) {
        let part = part_of(k, &rows);
        prop_assert_eq!(&rows_of(&part).unwrap(), &rows);

        let reader = open(&part).unwrap();
        prop_assert_eq!(reader.get(&rows.0).unwrap(), rows.1.clone());
        let mut asked: Vec<_> = rows.0.iter().flat_map(|&code| [code, code.saturating_add(1)]).collect();
        asked.sort_unstable();
        let expected: Vec<_> = asked
            .iter()
            .map(|code| rows.0.binary_search(code).map_or(0, |row| rows.1[row]))
            .collect();
        prop_assert_eq!(reader.get(&asked).unwrap(), expected);
    }

    #[test]
    fn the_bytes_are_the_same_however_pushes_are_split(
        len in 0_usize..70_000,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        thirds: bool,
    ) {
        let rows = made_rows(21, len);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(len + 1)).collect();
        if thirds {
            cuts.extend((0..len).step_by(PAGE_ROWS / 3));
        }
        cuts.sort_unstable();
        prop_assert!(part_in_pieces(21, &rows, &cuts) == part_in_pieces(21, &rows, &[]));
    }

    #[test]
    fn changed_bytes_of_a_larger_part_are_found(
        place: prop::sample::Index, flipped in 1_u8.., removed in 0_usize..3
    ) {
        let rows = made_rows(32, 20_000);
        let mut part = part_of(32, &rows);
        let place = place.index(part.len() - removed);
        part[place] ^= flipped;
        part.drain(place..place + removed);
        prop_assert!(rows_of(&part).is_err());
        if let Ok(counts) = open(&part).and_then(|reader| reader.get(&rows.0)) {
            prop_assert!(counts == rows.1);
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>, footer: Vec<u8>) {
        let mut part = [MAGIC.as_slice(), &bytes, &footer].concat();
        part.extend_from_slice(&(footer.len() as u32).to_le_bytes());
        part.extend_from_slice(MAGIC);
        prop_assert!(rows_of(&part).is_err());
        prop_assert!(rows_of(&bytes).is_err());
    }

    #[test]
    fn a_tail_that_lies_is_found_though_its_checksum_holds(lie in lie()) {
        let rows = made_rows(31, 20_000);
        let part = part_of(31, &rows);
        let honest = table_of(&part);
        let table = told(honest.clone(), &lie);
        let pages_bytes = part.len() - footer::tail(&honest).len();
        let crafted = [&part[..pages_bytes], &footer::tail(&table)].concat();
        if let Ok(found) = rows_of(&crafted) {
            // A larger k, or a total that nothing is reserved for, doesn't change the rows.
            let is_harmless = matches!(lie, Lie::K(31..) | Lie::Uncompressed(_));
            prop_assert!(found == rows && is_harmless || table == honest);
        }
    }
}

#[test]
fn a_footer_can_t_ask_for_more_memory_than_it_is_large() {
    use super::thrift::{Kind, Writer};

    let mut writer = Writer::default();
    writer.list(4, Kind::Struct, 1 << 20);
    (0..1 << 20).for_each(|_| writer.structure_element(|_| ()));
    let footer = writer.end();
    assert!(footer::indexes_bytes(&footer).is_err());
}

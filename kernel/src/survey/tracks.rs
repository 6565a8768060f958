//! The gaps of the longest records, those too close together to be drawn apart in groups.

use serde::Serialize;

use super::lengths::STEPS;

/// How many of the longest have a track.
pub const TRACKS: usize = 20;

/// From, to (0-based, half open), how many gaps, their summed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GapGroup(pub u64, pub u64, pub u64, pub u64);

pub struct Tracks {
    /// What is drawn as one: a `STEPS`-th of the longest record, rounded up. So a track has at most
    /// `STEPS` groups.
    cell_bases: u64,
    /// Of the records, the longest first.
    places: Vec<usize>,
    groups: Vec<Vec<GapGroup>>,
}

impl Tracks {
    pub fn of(places: Vec<usize>, longest: u64) -> Self {
        Self {
            cell_bases: longest.div_ceil(STEPS as u64).max(1),
            groups: vec![Vec::new(); places.len()],
            places,
        }
    }

    /// The track of the record at this place, if it has one.
    pub fn of_record(&self, place: usize) -> Option<usize> {
        self.places.iter().position(|each| *each == place)
    }

    /// Takes a gap behind those before it.
    pub fn add(&mut self, track: usize, start_base: u64, end_base: u64) {
        let groups = &mut self.groups[track];
        let bases = end_base - start_base;
        if let Some(GapGroup(_, last_end_base, count, sum)) = groups.last_mut()
            && start_base / self.cell_bases <= (*last_end_base - 1) / self.cell_bases + 1
        {
            *last_end_base = end_base;
            *count += 1;
            *sum += bases;
        } else {
            groups.push(GapGroup(start_base, end_base, 1, bases));
        }
    }

    pub fn into_groups(self) -> Vec<Vec<GapGroup>> {
        self.groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_joins_the_one_before_it_up_to_the_next_cell() {
        let mut tracks = Tracks::of(vec![7, 5], 3601); // cells of ten bases
        let track = tracks.of_record(5).unwrap();
        for (start_base, end_base) in [(0, 10), (19, 21), (40, 41), (59, 100), (100, 110)] {
            tracks.add(track, start_base, end_base);
        }
        assert_eq!(tracks.of_record(6), None);
        assert_eq!(
            tracks.into_groups()[1],
            [GapGroup(0, 21, 2, 12), GapGroup(40, 110, 3, 52)]
        );
    }
}

//! What a survey finds, in the form of `fanfold.report.survey.Survey`, which defines each field.

use serde::Serialize;

use super::View;
use super::bins::GapBin;
use super::lengths::{Lengths, SnailStep, snail};
use super::listed::ALL_LISTED;
use super::rows::SequenceRow;
use super::sequences::Sequences;
use super::tracks::GapGroup;
use super::walk::Walked;

#[derive(Debug, Default, Serialize)]
#[allow(non_snake_case)] // the columns' names
pub struct Sums {
    pub records: u64,
    pub length: u64,
    pub A: u64,
    pub C: u64,
    pub G: u64,
    pub T: u64,
    pub N: u64,
    pub other: u64,
    pub lowercase: u64,
    pub U: u64,
}

impl Sums {
    pub fn add(&mut self, row: &SequenceRow) {
        self.records += 1;
        self.length += row.length;
        self.A += row.a;
        self.C += row.c;
        self.G += row.g;
        self.T += row.t;
        self.N += row.n;
        self.other += row.other;
        self.lowercase += row.lowercase;
        self.U += row.u;
    }
}

/// A length; how many records have it at least; their summed length.
#[derive(Debug, Serialize)]
pub struct AtLeast(pub u64, pub u64, pub u64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GapLengths {
    pub count: u64,
    pub sum: u64,
    pub longest: u64,
}

impl GapLengths {
    pub fn add(&mut self, length: u64) {
        self.count += 1;
        self.sum += length;
        self.longest = self.longest.max(length);
    }
}

#[derive(Debug, Serialize)]
pub struct Threshold {
    pub min_gap: u64,
    pub gaps: GapLengths,
    pub contigs: u64,
    pub contig_length: u64,
    pub contig_n50: u64,
    pub contig_l50: u64,
}

#[derive(Debug, Serialize)]
pub struct Row {
    pub name: String,
    pub length: u64,
    pub gc: u64,
    pub acgtu: u64,
    pub n: u64,
    pub lowercase: u64,
}

#[derive(Debug, Serialize)]
pub struct Grid {
    pub length_edges: Vec<u64>,
    pub gc_edges_permille: Vec<u64>,
    pub cells: Vec<Cell>,
}

/// x, y, how many records, their summed length.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Cell(pub usize, pub usize, pub u64, pub u64);

#[derive(Debug, Serialize)]
pub struct Found {
    sums: Sums,
    all_gaps: GapLengths,
    below_200: u64,
    unnamed: u64,
    at_least: [AtLeast; 6],
    records: Lengths,
    contigs: Lengths,
    gaps: GapLengths,
    gap_n50: u64,
    thresholds: Vec<Threshold>,
    snail: Vec<SnailStep>,
    gc_histogram: Vec<u64>,
    grid: Option<Grid>,
    listed: Vec<Row>,
    tracks: Vec<Vec<GapGroup>>,
    gap_lengths: Vec<GapBin>,
}

impl Found {
    pub fn of(view: View, sequences: Sequences, walked: Walked) -> Self {
        let in_view = sequences.in_view;
        let lengths = walked.longest_first.iter().map(|record| record.length);
        Self {
            sums: sequences.sums,
            all_gaps: walked.all_gaps,
            below_200: sequences.below_200,
            unnamed: sequences.unnamed,
            at_least: sequences.at_least,
            records: Lengths::of(lengths, view.genome_size),
            contigs: walked.contigs.lengths,
            gaps: walked.contigs.gaps,
            gap_n50: walked.gap_n50,
            thresholds: walked.contigs.thresholds,
            snail: snail(&walked.longest_first),
            gc_histogram: sequences.bins.gc_histogram(),
            grid: (in_view > ALL_LISTED as u64).then(|| sequences.bins.grid()),
            listed: sequences.listed.into_rows(in_view),
            tracks: walked.tracks,
            gap_lengths: walked.gap_bins,
        }
    }
}

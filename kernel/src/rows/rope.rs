//! A sequence of immutable blocks that joins in constant time and shares what it joins.

use std::sync::Arc;

/// How a join moves its right part, and how such moves add up.
pub trait Shift: Copy + Default {
    /// The move of what is moved by `self` inside of what is moved by `outer`.
    fn within(self, outer: Self) -> Self;
}

/// What has no place can't be moved.
impl Shift for () {
    fn within(self, (): Self) {}
}

impl Shift for u64 {
    fn within(self, outer: Self) -> Self {
        self + outer
    }
}

pub struct Rope<B, S> {
    root: Option<Arc<Node<B, S>>>,
}

enum Node<B, S> {
    Leaf(B),
    Join {
        left: Rope<B, S>,
        right: Rope<B, S>,
        shift: S,
    },
}

impl<B, S: Shift> Rope<B, S> {
    pub fn leaf(block: B) -> Self {
        Self {
            root: Some(Arc::new(Node::Leaf(block))),
        }
    }

    /// `left`, then `right` moved by `shift`.
    pub fn join(left: Self, right: Self, shift: S) -> Self {
        if right.root.is_none() {
            return left;
        }
        // An empty left is kept: the shift has to stand somewhere.
        Self {
            root: Some(Arc::new(Node::Join { left, right, shift })),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&B, S)> {
        let mut stack: Vec<_> = self
            .root
            .iter()
            .map(|node| (&**node, S::default()))
            .collect();
        std::iter::from_fn(move || {
            while let Some((node, outer)) = stack.pop() {
                match node {
                    Node::Leaf(block) => return Some((block, outer)),
                    Node::Join { left, right, shift } => {
                        let moved = shift.within(outer);
                        stack.extend(right.root.iter().map(|node| (&**node, moved)));
                        stack.extend(left.root.iter().map(|node| (&**node, outer)));
                    }
                }
            }
            None
        })
    }
}

impl<B, S> Clone for Rope<B, S> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
        }
    }
}

impl<B, S> Default for Rope<B, S> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<B, S> Drop for Rope<B, S> {
    /// A left fold makes a rope as deep as it is long: taking it down must not recurse.
    fn drop(&mut self) {
        let mut stack: Vec<_> = self.root.take().into_iter().collect();
        while let Some(node) = stack.pop() {
            if let Some(Node::Join {
                mut left,
                mut right,
                ..
            }) = Arc::into_inner(node)
            {
                stack.extend(left.root.take());
                stack.extend(right.root.take());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(rope: &Rope<u64, u64>) -> Vec<u64> {
        rope.iter().map(|(value, shift)| value + shift).collect()
    }

    #[test]
    fn a_join_moves_its_right_part_at_any_depth() {
        let one = Rope::leaf(1);
        let two = Rope::join(one.clone(), Rope::leaf(1), 10);
        let four = Rope::join(two.clone(), two.clone(), 100);
        assert_eq!(values(&four), [1, 11, 101, 111]);
        assert_eq!(values(&two), [1, 11]);
        let after_nothing = Rope::join(Rope::default(), one, 5);
        assert_eq!(values(&after_nothing), [6]);
    }

    #[test]
    fn a_long_left_fold_neither_overflows_nor_copies() {
        let mut rope = Rope::default();
        for i in 0..1_000_000_u64 {
            rope = Rope::join(rope, Rope::leaf(0), i);
        }
        assert_eq!(rope.iter().count(), 1_000_000);
        assert_eq!(
            rope.iter().last().map(|(value, shift)| value + shift),
            Some(999_999)
        );
    }
}

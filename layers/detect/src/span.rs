/// A window that begins with what is first seen in it, and what of it was told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    /// Milliseconds since the epoch; 0 if nothing was seen.
    begun: u64,
    /// The value that was told last; 0 if none was.
    told: u32,
}

impl Span {
    /// Whether the window is over, also if the clock was set back, so that another one begins now.
    pub(crate) fn rolls(&mut self, now: u64, window: u64) -> bool {
        let is_over = !self.is_live(now, window);
        if is_over {
            *self = Self {
                begun: now.max(1),
                told: 0,
            };
        }
        is_over
    }

    pub(crate) fn is_live(&self, now: u64, window: u64) -> bool {
        self.begun > 0
            && now
                .checked_sub(self.begun)
                .is_some_and(|past| past < window)
    }

    pub(crate) fn end(&self, window: u64) -> u64 {
        self.begun.saturating_add(window)
    }

    pub(crate) fn is_told(&self) -> bool {
        self.told > 0
    }

    /// Whether the value is to be told: once it is that much, and again whenever it has doubled.
    pub(crate) fn is_news(&self, value: u32, least: u32) -> bool {
        value >= self.told.saturating_mul(2).max(least).max(1)
    }

    pub(crate) fn tell(&mut self, value: u32) {
        self.told = value;
    }
}

/// How many there were within a window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) span: Span,
    value: u32,
}

impl Count {
    /// Counts one more, and tells how many.
    pub(crate) fn add(&mut self, now: u64, window: u64) -> u32 {
        if self.span.rolls(now, window) {
            self.value = 0;
        }
        self.value = self.value.saturating_add(1);
        self.value
    }

    /// How many there are in a window that is not over.
    pub(crate) fn live(&self, now: u64, window: u64) -> u32 {
        if self.span.is_live(now, window) {
            self.value
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_at_its_bound_and_at_each_doubling_and_anew_in_the_next_window() {
        let mut count = Count::default();
        let mut told = Vec::new();
        for now in 0..100 {
            let value = count.add(1000 + now, 1000);
            if count.span.is_news(value, 10) {
                count.span.tell(value);
                told.push(value);
            }
        }
        assert_eq!(told, [10, 20, 40, 80]);
        assert_eq!(count.add(2100, 1000), 1, "another window");
        assert!(!count.span.is_told());
    }

    #[test]
    fn a_window_that_lies_ahead_is_over() {
        let mut count = Count::default();
        assert_eq!(count.add(9000, 1000), 1);
        assert_eq!(count.add(9000, 1000), 2);
        assert_eq!(count.add(5000, 1000), 1);
    }
}

//! What a process says, line by line.

use std::{
    io::{BufRead, BufReader, Lines, Read},
    time::Instant,
};

use super::process::TIMEOUT;

/// The lines of a process.
pub(super) struct Reader {
    lines: Lines<BufReader<Box<dyn Read + Send>>>,
    of: &'static str,
    began: Instant,
    said: String,
}

impl Reader {
    pub(super) fn of(output: impl Read + Send + 'static, of: &'static str) -> Self {
        let output: Box<dyn Read + Send> = Box::new(output);
        Self { lines: BufReader::new(output).lines(), of, began: Instant::now(), said: String::new() }
    }

    pub(super) fn next(&mut self) -> String {
        let Some(Ok(line)) = self.lines.next() else { panic!("{} ended early:\n{}", self.of, self.said) };
        assert!(self.began.elapsed() < TIMEOUT, "{} takes too long:\n{}", self.of, self.said);
        self.said.push_str(&line);
        self.said.push('\n');
        line
    }

    /// Reads on in the background, or the process would block on a full pipe.
    pub(super) fn leave(self, line: fn(&str)) {
        std::thread::spawn(move || {
            for text in self.lines.map_while(Result::ok) {
                line(&text);
            }
        });
    }
}

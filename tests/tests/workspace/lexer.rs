//! Splits Rust source into code and comments, line by line; strings and characters become
//! spaces in the code. Enough to find words and count braces, no parser.

/// One source line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Code, with the content of strings and characters blanked.
    pub code: String,
    /// Comment text.
    pub comment: String,
}

#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    BlockComment(u32),
    Text,
    RawText(usize),
}

/// Returns the lines of `source`.
pub fn lines(source: &str) -> Vec<Line> {
    let chars: Vec<char> = source.chars().collect();
    let mut lines = vec![Line::default()];
    let mut state = State::Code;
    let mut i = 0;
    while i < chars.len() {
        if chars[i] == '\n' {
            lines.push(Line::default());
            if matches!(state, State::LineComment) {
                state = State::Code;
            }
            i += 1;
            continue;
        }
        let line = lines.last_mut().expect("never empty");
        let (next, taken) = step(&chars[i..], previous(&chars, i), state, line);
        state = next;
        i += taken;
    }
    lines
}

fn previous(chars: &[char], i: usize) -> char {
    if i == 0 { ' ' } else { chars[i - 1] }
}

/// Consumes a few characters (never a line break) and returns the next state and their count.
fn step(rest: &[char], before: char, state: State, line: &mut Line) -> (State, usize) {
    let at = |k: usize| rest.get(k).copied().unwrap_or('\n');
    match state {
        State::Code => code_step(rest, before, line),
        State::LineComment => {
            line.comment.push(rest[0]);
            (state, 1)
        }
        State::BlockComment(depth) => match (rest[0], at(1)) {
            ('*', '/') if depth == 1 => (State::Code, 2),
            ('*', '/') => (State::BlockComment(depth - 1), 2),
            ('/', '*') => (State::BlockComment(depth + 1), 2),
            (c, _) => {
                line.comment.push(c);
                (state, 1)
            }
        },
        State::Text => match (rest[0], at(1)) {
            // An escaped line break ends the line as any other.
            ('\\', '\n') => (state, 1),
            ('\\', _) => (state, 2),
            ('"', _) => {
                line.code.push('"');
                (State::Code, 1)
            }
            _ => (state, 1),
        },
        State::RawText(hashes) => {
            let closes = rest[0] == '"' && (1..=hashes).all(|k| at(k) == '#');
            if closes {
                line.code.push('"');
                (State::Code, 1 + hashes)
            } else {
                (state, 1)
            }
        }
    }
}

fn code_step(rest: &[char], before: char, line: &mut Line) -> (State, usize) {
    let at = |k: usize| rest.get(k).copied().unwrap_or('\n');
    let in_word = before.is_alphanumeric() || before == '_';
    match (rest[0], at(1)) {
        ('/', '/') => (State::LineComment, 2),
        ('/', '*') => (State::BlockComment(1), 2),
        ('"', _) => {
            line.code.push('"');
            (State::Text, 1)
        }
        ('r', '"' | '#') | ('b' | 'c', 'r') if !in_word => {
            let r = if rest[0] == 'r' { 1 } else { 2 };
            let hashes = rest[r..].iter().take_while(|&&c| c == '#').count();
            if at(r + hashes) == '"' {
                line.code.push('"');
                (State::RawText(hashes), r + hashes + 1)
            } else {
                line.code.push(rest[0]);
                (State::Code, 1)
            }
        }
        ('\'', '\\') => {
            // An escaped character: the quote ends it after the escape.
            let end = rest[3..].iter().take_while(|&&c| c != '\'' && c != '\n').count();
            line.code.push(' ');
            (State::Code, (3 + end + 1).min(rest.len()))
        }
        ('\'', c) if c != '\n' && at(2) == '\'' => {
            line.code.push(' ');
            (State::Code, 3)
        }
        (c, _) => {
            line.code.push(c);
            (State::Code, 1)
        }
    }
}

/// Returns whether `word` occurs in `code` as a whole word (or path of words).
pub fn has_word(code: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !(before.is_some_and(is_word) || after.is_some_and(is_word) && word.ends_with(is_word))
    })
}

/// Returns which lines belong to items under `#[cfg(test)]`.
pub fn test_lines(lines: &[Line]) -> Vec<bool> {
    let mut test = vec![false; lines.len()];
    let mut i = 0;
    while i < lines.len() {
        if lines[i].code.contains("#[cfg(test)]") {
            let end = item_end(lines, i);
            test[i..=end].fill(true);
            i = end;
        }
        i += 1;
    }
    test
}

/// Returns the last line of the item that begins at line `start`: where its braces close, or its
/// semicolon.
pub fn item_end(lines: &[Line], start: usize) -> usize {
    let (mut braces, mut others, mut opened) = (0i32, 0i32, false);
    for (i, line) in lines.iter().enumerate().skip(start) {
        for c in line.code.chars() {
            match c {
                '{' => {
                    braces += 1;
                    opened = true;
                }
                '}' => braces -= 1,
                '(' | '[' => others += 1,
                ')' | ']' => others -= 1,
                ';' if !opened && others == 0 => return i,
                _ => {}
            }
            if opened && braces <= 0 && others <= 0 {
                return i;
            }
        }
    }
    lines.len() - 1
}

#[test]
fn strings_characters_and_comments_leave_no_code() {
    let source = "let a = \"un{safe // \\\" {\"; // unsafe {\n\
                  let b = '{'; let c: &'a u8 = r#\"}\"}\"#;\n\
                  /* { /* { */ } */ x('\\'', b'\\n', '\\u{7d}') }";
    let lines = lines(source);
    assert_eq!(lines[0].code, "let a = \"\"; ");
    assert_eq!(lines[0].comment, " unsafe {");
    assert_eq!(lines[1].code, "let b =  ; let c: &'a u8 = \"\";");
    assert_eq!(lines[2].code, " x( , b ,  ) }");
    assert_eq!(lines[2].comment, " {  {  } ");
}

#[test]
fn words_are_whole() {
    assert!(has_word("unsafe { x }", "unsafe"));
    assert!(!has_word("#![forbid(unsafe_code)]", "unsafe"));
    assert!(has_word("let x: rand::Rng", "rand::"));
    assert!(has_word("rand::random()", "rand::"));
    assert!(!has_word("operand::x", "rand::"));
}

#[test]
fn test_modules_are_found_to_their_end() {
    let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { }\n}\nfn c() {}\n\
                  #[cfg(test)]\nmod more;\nfn d() {}";
    let marks = test_lines(&lines(source));
    assert_eq!(marks, [false, true, true, true, true, false, true, true, false]);
}

//! Every relative link in a Markdown file leads somewhere.

use super::Problem;
use super::tree::Tree;

/// Links of the form `[text](target)` and `[name]: target`, outside code.
pub(super) fn markdown(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.of_kind("md") {
        let mut in_code = false;
        for (number, line) in file.lines() {
            if line.trim_start().starts_with("```") {
                in_code = !in_code;
            }
            if in_code {
                continue;
            }
            for target in targets(&without_code(line)) {
                if !leads_somewhere(tree, &file.path, &target) {
                    problems.push(Problem::new(&file.path, number, format!("a link to nothing: `{target}`")));
                }
            }
        }
    }
    problems
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

fn targets(line: &str) -> Vec<String> {
    let inline = line.match_indices("](").filter_map(|(at, _)| {
        let rest = &line[at + 2..];
        rest.find(')').map(|end| &rest[..end])
    });
    let reference = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
    let all = inline.chain(reference);
    // A title may follow the target: `[text](target "title")`.
    all.filter_map(|target| target.split_whitespace().next()).map(str::to_owned).collect()
}

fn leads_somewhere(tree: &Tree, from: &str, target: &str) -> bool {
    let outside = target.contains("://") || target.starts_with("mailto:") || target.starts_with('#');
    if outside {
        return true;
    }
    let path = target.split('#').next().unwrap_or(target);
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if folders.pop().is_none() {
                    return false;
                }
            }
            name => folders.push(name),
        }
    }
    folders.is_empty() || tree.paths.contains(&folders.join("/"))
}

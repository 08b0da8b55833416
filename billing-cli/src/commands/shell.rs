//! The commands `completions` and `man`: shell completions and the manual page.

use clap_complete::Shell;
use clap_mangen::Man;

use crate::args;

pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut command = args::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

/// Returns one manual page for the whole program, with the arguments of each command.
pub(crate) fn man() -> Vec<u8> {
    let mut page = Vec::new();
    let mut command = args::command();
    command.build();
    let main = Man::new(command.clone());
    // Writing to memory cannot fail.
    let _ = main.render_title(&mut page);
    let _ = main.render_name_section(&mut page);
    let _ = main.render_synopsis_section(&mut page);
    let _ = main.render_description_section(&mut page);
    let _ = main.render_options_section(&mut page);
    for subcommand in command.get_subcommands().filter(|c| c.get_name() != "help") {
        // The page already lists the global options.
        let own = subcommand.clone().mut_args(|arg| {
            let shared = arg.is_global_set() || matches!(arg.get_id().as_str(), "help" | "version");
            arg.hide(shared)
        });
        let has_arguments = own.get_arguments().any(|arg| !arg.is_hide_set());
        let own = Man::new(own);
        page.extend(format!(".SH \"COMMAND: {}\"\n", subcommand.get_name().to_uppercase()).into_bytes());
        if let Some(about) = subcommand.get_about() {
            page.extend(format!("{about}\n").into_bytes());
        }
        if has_arguments {
            let mut options = Vec::new();
            let _ = own.render_options_section(&mut options);
            page.extend(without_heading(&options));
        }
    }
    let _ = main.render_extra_section(&mut page);
    let _ = main.render_version_section(&mut page);
    page
}

/// Returns a rendered section without its heading and without the text that already stands on the page.
fn without_heading(section: &[u8]) -> Vec<u8> {
    let lines = section.split_inclusive(|byte| *byte == b'\n');
    lines.skip_while(|line| !line.starts_with(b".SH ")).skip(1).flatten().copied().collect()
}

//! The thin binary: turns the result of [`clawberth::run`] into an exit code.

fn main() -> std::process::ExitCode {
    clawberth::run(std::env::args_os(), std::env::vars_os())
}

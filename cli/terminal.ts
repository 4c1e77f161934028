import type { Command } from 'commander'

// The only file of the commands that writes to the terminal, besides the progress bar. Names of files, texts of imported resources
// and members of audit records can contain control characters. A terminal obeys them: they clear the screen, change its title, or
// show a line that nobody wrote.

const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g

/** Escapes control characters, U+0000 to U+001F and U+007F to U+009F, in the form of JSON: `\u001b`. JSON stays the same value. */
export const escapeControls = (line: string): string =>
  line.replace(CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

type Stream = 'stdout' | 'stderr'

/** Prints one line. A line break within it is escaped, too. */
export function printLine(line: string, stream: Stream = 'stdout'): void {
  process[stream].write(`${escapeControls(line)}\n`)
}

/** Prints a text of several lines, such as a table. Its line breaks stay. */
export function printText(text: string, stream: Stream = 'stdout'): void {
  process[stream].write(text.split('\n').map(escapeControls).join('\n'))
}

/** Prints the help and the errors of a command and of its subcommands, which can repeat arguments, through this file. */
export function printThroughTerminal(command: Command): void {
  command.configureOutput({ writeOut: (text) => printText(text), writeErr: (text) => printText(text, 'stderr') })
  for (const subcommand of command.commands) printThroughTerminal(subcommand)
}

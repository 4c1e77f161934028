/** A piece of prose without comment markers. It keeps its line breaks, so that an offset in it leads to a line of the file. */
export interface Block {
  /** The line of the file where the text starts, from 1. */
  readonly line: number
  readonly text: string
}

export interface LineComment extends Block {
  /** True if only whitespace precedes the comment on its line. */
  readonly ownLine: boolean
}

/** Joins the line comments that follow each other, because a sentence can continue on the next line. */
export function joinLineComments(comments: readonly LineComment[]): Block[] {
  const blocks: { line: number; text: string }[] = []
  let previousLine = -1
  for (const { line, text, ownLine } of comments) {
    const last = blocks.at(-1)
    if (last !== undefined && ownLine && line === previousLine + 1) last.text += `\n${text}`
    else blocks.push({ line, text })
    previousLine = line
  }
  return blocks
}

/** Returns the line of an offset. Offsets must ascend: each call counts from the previous offset. */
export function lineCounter(source: string): (offset: number) => number {
  let line = 1
  let from = 0
  return (offset) => {
    for (let at = source.indexOf('\n', from); at !== -1 && at < offset; at = source.indexOf('\n', from)) {
      line++
      from = at + 1
    }
    return line
  }
}

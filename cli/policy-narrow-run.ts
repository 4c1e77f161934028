import type { Command } from 'commander'
import { compilePolicy } from '../directives/compile.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { diffLocks } from '../directives/lock-diff.ts'
import { type EditedFile, narrowedFiles } from '../directives/sdl-edits.ts'
import { narrowedBy } from '../gateway/oversight/reports/access-review.ts'
import { projectTypeDefs } from '../schema/project.ts'
import { counted } from '../gateway/model/counted.ts'
import { reviewOf, type SpanFlags } from './audit-reports-run.ts'
import { compileProject } from './operation-session.ts'
import { printLine, printText } from './terminal.ts'
import { unifiedDiff } from './unified-diff.ts'

export interface NarrowFlags extends SpanFlags {
  readonly role?: string
}

/** Prints a diff of the schema, and on stderr what it changes. */
export async function printNarrowing(flags: NarrowFlags, command: Command): Promise<void> {
  const review = await reviewOf(flags, command)
  const compiled = compileProject()
  const narrowed = narrowedBy(compiled.schema, review)
  const files = narrowedFiles(narrowed)
  if (review.attributedFrom === undefined) printLine('No record of this time was decided by the policy in force.', 'stderr')
  else printLine(`The policy in force decides since ${review.attributedFrom}: a grant is unused since then.`, 'stderr')
  for (const { grant, change } of narrowed)
    if (change.kind === 'NONE')
      printLine(`${grant.source.name}:${grant.line} is left: ${reasonOf(grant.place, change.because)}`, 'stderr')
  const after = lockAfter(files, command)
  const { widened, narrowed: rights, other } = diffLocks(compiled.lock, after)
  // a fault of this command: to take roles away gives nobody a right
  if (widened.length > 0) command.error('error: the change would widen access')
  printLine(
    `${counted(rights.length, 'right ends', 'rights end')}, ${counted(other.length, 'line of the lock changes', 'lines of the lock change')} otherwise`,
    'stderr',
  )
  printText(files.map(unifiedDiff).join(''))
}

function reasonOf(place: string, because: 'LAST_GRANT' | 'RETRACTION'): string {
  switch (because) {
    case 'LAST_GRANT':
      return `nobody used a grant of ${place}, and it needs one`
    case 'RETRACTION':
      return `other values of the record keep a grant of DELETE, so that ${place} needs one`
  }
}

/** The lock of the changed schema. Ends the command if the schema cannot be compiled. */
function lockAfter(files: readonly EditedFile[], command: Command): string {
  const edited = new Map(files.map(({ name, after }) => [name, after]))
  try {
    const sources = projectTypeDefs().map(({ name, sdl }) => ({ name, sdl: edited.get(name) ?? sdl }))
    return compilePolicy(sources, { relationships: 'unchecked' }).lock
  } catch (error) {
    if (!(error instanceof PolicyFaults)) throw error
    printText(`${error.message}\n`, 'stderr')
    return command.error('error: the narrowed schema has these faults: narrow one role at a time with --role')
  }
}

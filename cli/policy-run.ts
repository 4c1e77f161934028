import { execFileSync } from 'node:child_process'
import { relative } from 'node:path'
import { compilePolicy, type CompiledPolicy } from '../directives/compile.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { diffLocks, renderDiff } from '../directives/lock-diff.ts'
import { LockUnreadable } from '../directives/lock.ts'
import type { PolicyTable } from '../directives/policy.ts'
import { grantRows, renderTable } from '../directives/table.ts'
import { openProject, projectLock, projectTypeDefs, ProjectRefused, writeProjectLock } from '../schema/project.ts'
import { renderMarkdown } from './policy-markdown.ts'
import { renderPage } from './policy-page.ts'
import { printText } from './terminal.ts'

export interface TableOptions {
  readonly markdown?: true
  readonly html?: true
  readonly json?: true
}

/** Prints the compiled table in one of four forms. */
export const printTable = reporting((options: TableOptions) => {
  printText(tableAs(options, compileProject().policy))
})

/** Writes the policy lock of the schema, or compares it with the committed one. */
export const writeLock = reporting((isCheck: boolean) => {
  const { lock } = compileProject()
  if (isCheck) checkLock(lock)
  else writeProjectLock(lock)
})

/** Prints the access that a change widens and narrows. */
export const printDifference = reporting((revision?: string, other?: string) => {
  const before = revision === undefined ? projectLock() : lockAt(revision)
  const after = other === undefined ? compileProject().lock : lockAt(other)
  printText(renderDiff(diffLocks(before, after)) || 'no difference\n')
})

function tableAs({ markdown, html, json }: TableOptions, table: PolicyTable): string {
  if (markdown) return renderMarkdown(table)
  if (html) return renderPage(table)
  return json ? `${JSON.stringify(grantRows(table), null, 2)}\n` : renderTable(table, process.stdout.columns)
}

/** A failure that the user of the command can correct. */
class Refused extends Error {}

function compileProject(): CompiledPolicy {
  // unchecked: this makes no decisions, and only the gateway knows the sources of relationships
  return compilePolicy(projectTypeDefs(), { relationships: 'unchecked' })
}

function checkLock(lock: string): void {
  const committed = projectLock()
  if (committed === lock) return
  throw new Refused(
    `${lockName()} does not match the SDL:\n${renderDiff(diffLocks(committed, lock))}Review the difference, then update the lock with: phi policy lock`,
  )
}

// No hyphen at the start, so that it is not an option. No colon, so that it names a revision and not a file.
const REVISION = /^[A-Za-z0-9_@][A-Za-z0-9_./@{}^~-]*$/

function lockAt(revision: string): string {
  if (!REVISION.test(revision)) throw new Refused('Invalid revision. Use a branch, a tag or a commit, for instance HEAD~1.')
  try {
    return execFileSync('git', ['show', `${revision}:./${lockName()}`], {
      cwd: openProject().folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch (error) {
    throw new Refused(`Git has no ${lockName()} at that revision. List its revisions with: git log ${lockName()}`, {
      cause: error,
    })
  }
}

/** The path of the lock within the project. */
function lockName(): string {
  const { folder, lock } = openProject()
  return relative(folder, lock)
}

/** Runs a command and prints its failures as text, without a stack trace. */
function reporting<Args extends unknown[]>(run: (...args: Args) => void): (...args: Args) => void {
  return (...args) => {
    try {
      run(...args)
    } catch (error) {
      const isCorrectable = [Refused, PolicyFaults, LockUnreadable, ProjectRefused].some((kind) => error instanceof kind)
      if (!isCorrectable || !(error instanceof Error)) throw error
      printText(`${error.message}\n`, 'stderr')
      process.exitCode = 1
    }
  }
}

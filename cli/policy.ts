import { Command, Option } from 'commander'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compilePolicy, type CompiledPolicy } from '../directives/compile.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { diffLocks, renderDiff } from '../directives/lock-diff.ts'
import { LockUnreadable } from '../directives/lock.ts'
import { grantRows, renderTable } from '../directives/table.ts'
import { clinicLock, clinicTypeDefs } from '../schema/clinic.ts'
import type { PolicyTable } from '../directives/policy.ts'
import { renderMarkdown } from './policy-markdown.ts'
import { explainCommand } from './policy-explain.ts'
import { renderPage } from './policy-page.ts'
import { printText } from './terminal.ts'

/**
 * `phi policy table|lock|diff` reads the shipped clinic's SDL without a running stack. Exit code 1 if the schema has faults, or
 * if `lock --check` finds a difference.
 */
export function policyCommand(): Command {
  const policy = new Command('policy').description('show and check the access policy of the schema')
  policy
    .command('table')
    .description('print the compiled table')
    .addOption(new Option('--markdown', 'print Markdown').conflicts(['html', 'json']))
    .addOption(new Option('--html', 'print one HTML page with a filter by role').conflicts(['markdown', 'json']))
    .addOption(
      new Option('--json', 'print JSON rows of role, purposes, relationship, path and view').conflicts(['markdown', 'html']),
    )
    .action(
      reporting((options: TableOptions) => {
        printText(tableAs(options, compileClinic().policy))
      }),
    )
  policy
    .command('lock')
    .description('write schema/policy.lock')
    .option('--check', 'write nothing; print the differences and exit with code 1')
    .action(
      reporting((options: { check?: true }) => {
        const { lock } = compileClinic()
        if (options.check) checkLock(lock)
        else writeFileSync(new URL('../schema/policy.lock', import.meta.url), lock)
      }),
    )
  policy.addCommand(explainCommand())
  policy
    .command('diff')
    .description('show the access that a change widens and narrows')
    .argument('[revision]', 'compare the SDL with the lock at this revision instead of the lock file')
    .argument('[other]', 'compare the lock at the first revision with the lock at this one')
    .action(
      reporting((revision?: string, other?: string) => {
        const before = revision === undefined ? clinicLock() : lockAt(revision)
        const after = other === undefined ? compileClinic().lock : lockAt(other)
        printText(renderDiff(diffLocks(before, after)) || 'no difference\n')
      }),
    )
  return policy
}

interface TableOptions {
  readonly markdown?: true
  readonly html?: true
  readonly json?: true
}

function tableAs({ markdown, html, json }: TableOptions, table: PolicyTable): string {
  if (markdown) return renderMarkdown(table)
  if (html) return renderPage(table)
  return json ? `${JSON.stringify(grantRows(table), null, 2)}\n` : renderTable(table)
}

/** A failure that the user of the command can correct. */
class Refused extends Error {}

function compileClinic(): CompiledPolicy {
  // unchecked: this makes no decisions, and only the gateway knows the sources of relationships
  return compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
}

function checkLock(lock: string): void {
  const committed = clinicLock()
  if (committed === lock) return
  throw new Refused(
    `schema/policy.lock does not match the SDL:\n${renderDiff(diffLocks(committed, lock))}Review the difference, then update the lock with: phi policy lock`,
  )
}

// No hyphen at the start, so that it is not an option. No colon, so that it names a revision and not a file.
const REVISION = /^[A-Za-z0-9_@][A-Za-z0-9_./@{}^~-]*$/

function lockAt(revision: string): string {
  if (!REVISION.test(revision)) throw new Refused('Invalid revision. Use a branch, a tag or a commit, for instance HEAD~1.')
  try {
    return execFileSync('git', ['show', `${revision}:./schema/policy.lock`], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch (error) {
    throw new Refused('Git has no schema/policy.lock at that revision. List its revisions with: git log schema/policy.lock', {
      cause: error,
    })
  }
}

/** Runs a command and prints its failures as text, without a stack trace. */
function reporting<Args extends unknown[]>(run: (...args: Args) => void): (...args: Args) => void {
  return (...args) => {
    try {
      run(...args)
    } catch (error) {
      if (!(error instanceof Refused || error instanceof PolicyFaults || error instanceof LockUnreadable)) throw error
      printText(`${error.message}\n`, 'stderr')
      process.exitCode = 1
    }
  }
}

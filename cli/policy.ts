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

/** `phi policy table|lock|diff`: reads the shipped clinic's SDL, no running stack. Exit code 1 for faults and differences. */
export function policyCommand(): Command {
  const policy = new Command('policy').description('who may see what, as the schema says it')
  policy
    .command('table')
    .description('print the compiled table')
    .addOption(new Option('--markdown', 'as Markdown').conflicts(['html', 'json']))
    .addOption(new Option('--html', 'as one HTML page with a filter by role').conflicts(['markdown', 'json']))
    .addOption(new Option('--json', 'as rows of role, purposes, relationship, path and view').conflicts(['markdown', 'html']))
    .action(
      reporting((options: TableOptions) => {
        process.stdout.write(tableAs(options, compileClinic().policy))
      }),
    )
  policy
    .command('lock')
    .description('write schema/policy.lock')
    .option('--check', 'write nothing; name what differs and exit with 1')
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
    .description('what a change widens and narrows')
    .argument('[revision]', 'compare the SDL with the lock at this revision, instead of the lock file')
    .argument('[other]', 'compare the lock at the first revision with the one at this')
    .action(
      reporting((revision?: string, other?: string) => {
        const before = revision === undefined ? clinicLock() : lockAt(revision)
        const after = other === undefined ? compileClinic().lock : lockAt(other)
        process.stdout.write(renderDiff(diffLocks(before, after)) || 'no difference\n')
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

/** Something the person at the keyboard has to mend. */
class Refused extends Error {}

function compileClinic(): CompiledPolicy {
  // no decision is taken here; the gateway compiles with the names that it has functions for
  return compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
}

function checkLock(lock: string): void {
  const committed = clinicLock()
  if (committed === lock) return
  throw new Refused(
    `schema/policy.lock does not match the SDL:\n${renderDiff(diffLocks(committed, lock))}Write it with: phi policy lock`,
  )
}

// starts with no hyphen, so that it can be no option, and holds no colon, so that it names a revision and no file
const REVISION = /^[A-Za-z0-9_@][A-Za-z0-9_./@{}^~-]*$/

function lockAt(revision: string): string {
  if (!REVISION.test(revision)) throw new Refused('That is not the name of a revision.')
  try {
    return execFileSync('git', ['show', `${revision}:./schema/policy.lock`], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch (error) {
    throw new Refused('git has no schema/policy.lock at that revision.', { cause: error })
  }
}

/** Runs a command and tells its failures as text, without a stack. */
function reporting<Args extends unknown[]>(run: (...args: Args) => void): (...args: Args) => void {
  return (...args) => {
    try {
      run(...args)
    } catch (error) {
      if (!(error instanceof Refused || error instanceof PolicyFaults || error instanceof LockUnreadable)) throw error
      process.stderr.write(`${error.message}\n`)
      process.exitCode = 1
    }
  }
}

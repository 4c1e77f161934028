import { inspect } from 'node:util'
import * as z from 'zod'
import { UnknownTenant } from '../gateway/admin/open-store.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { LockUnreadable } from '../directives/lock.ts'
import { StageRefused } from '../gateway/model/stage.ts'
import { DuckDbMissing } from '../gateway/oversight/tables/table-faults.ts'
import { SchemaRefused } from '../gateway/schema-refused.ts'
import { fileFaultText } from '../infra/local/file-fault.ts'
import { NoStack } from '../infra/local/stack-file.ts'
import { StartRefused } from '../infra/local/start-refused.ts'
import { NoToken } from '../infra/local/token.ts'
import { ProjectRefused } from '../schema/project.ts'
import { Refused, REFUSED_CODE } from './refused.ts'
import { serviceFaultText } from './service-fault.ts'
import { printLine, printText } from './terminal.ts'
import { unknownTenantText } from './tenant-check.ts'

/** Their messages name the next step, and hold no value. */
const EXPLAINED = [StartRefused, StageRefused, ProjectRefused, DuckDbMissing, PolicyFaults, SchemaRefused]

type Env = Readonly<Record<string, string | undefined>>

/** Prints the failure of a command, and returns its exit code. */
export function printFailure(failure: unknown, env: Env = process.env): number {
  printLine(failureText(failure, env), 'stderr')
  if (env['DEBUG'] !== undefined) printText(`${inspect(failure)}\n`, 'stderr')
  return failure instanceof Refused ? failure.exitCode : REFUSED_CODE
}

/** Whether the failure has a text of its own. */
export const isExplained = (failure: unknown, env: Env): boolean => !failureText(failure, env).startsWith('phi: ')

function failureText(failure: unknown, env: Env): string {
  if (failure instanceof NoStack) return failure.message
  if (EXPLAINED.some((kind) => failure instanceof kind) && failure instanceof Error) return `error: ${failure.message}`
  if (failure instanceof Refused || failure instanceof NoToken) return `error: ${failure.message}`
  if (failure instanceof LockUnreadable)
    return `error: ${failure.message} Restore the lock of the project, or write it again with: phi policy lock`
  if (failure instanceof UnknownTenant) return `error: ${unknownTenantText('', env)}`
  const text = fileFaultText(failure) ?? serviceFaultText(failure, env) ?? settingText(failure)
  if (text !== undefined) return `error: ${text}`
  // only the class of any other failure: its message may contain any text (P8)
  return `phi: ${failure instanceof Error ? failure.name : 'failed'}. To see the error, run the command again with DEBUG=1.`
}

const SETTING = /^(?:PHI|AWS)_[A-Z0-9_]+$/

/** The variables of the environment that are missing or malformed. */
function settingText(failure: unknown): string | undefined {
  if (!(failure instanceof z.ZodError) || failure.issues.length === 0) return undefined
  const names = failure.issues.map(({ path: [name] }) => String(name))
  if (!names.every((name) => SETTING.test(name))) return undefined
  return `these settings of the deployment are missing or malformed: ${[...new Set(names)].join(', ')}. Set them as docs/cli.md describes.`
}

import { isKeyDue, type KeyDue, keysDue } from '../gateway/crypto/key-schedule.ts'
import type { PurposeKeyStatus, TenantKeyStatus } from '../gateway/crypto/key-status.ts'
import type { RotationStatus } from '../gateway/admin/tenant-rotation.ts'
import type { RotationRun, RotationStep } from '../gateway/model/rotation-run.ts'

const STEPS: Readonly<Record<RotationStep, string>> = {
  KEYS: 'creates keys',
  REWRAP: 'wraps patient keys',
  WAIT: 'waits until every process has the new search key',
  REWRITE: 'rewrites search entries',
  RETIRE: 'destroys the former search key',
}

const SCOPES: Readonly<Record<RotationRun['scope'], string>> = {
  tenant: 'the tenant key',
  search: 'the search key',
  all: 'all keys',
}

/** The versions of the tenant key, one in a line. */
export const tenantKeyLine = ({ version, kmsKey, uses, patientKeys }: TenantKeyStatus): string =>
  `version ${version}  ${kmsKey}  purpose keys ${uses}, patient keys ${patientKeys}`

/** The lines of `phi keys status`, and whether a rotation is overdue. */
export function statusText(status: RotationStatus, days: number, now: number): { lines: readonly string[]; overdue: boolean } {
  const due = keysDue(status, days)
  const overdue = due.some((one) => isKeyDue(one, now))
  const lines = [
    ...status.tenantKeys.map((key) => `tenant key ${tenantKeyLine(key)}, ${age(key.created, now)}`),
    ...status.purposeKeys.map((key) => purposeKeyLine(key)),
    runLine(status.run),
    ...due.map((one) => dueLine(one, now)),
  ]
  return { lines, overdue }
}

function age(created: number | undefined, now: number): string {
  if (created === undefined) return 'age unknown'
  return `created ${day(created)}, ${Math.floor((now - created) / 86_400_000)} days old`
}

function purposeKeyLine({ use, version, tenantKeyVersion, state, sealsFrom }: PurposeKeyStatus): string {
  const from = state === 'INCOMING' ? ` from ${new Date(sealsFrom).toISOString()}` : ''
  return `${use} key version ${version}  under tenant key version ${tenantKeyVersion}, ${state.toLowerCase()}${from}`
}

/** The state of the latest rotation. */
function runLine(run: RotationRun | undefined): string {
  if (run === undefined) return 'rotation  none so far'
  const { scope, started, finished, step, done, of, refused, updated } = run
  const what = `rotation of ${SCOPES[scope]}, started ${new Date(started).toISOString()}`
  if (finished !== undefined) return `${what}  finished ${new Date(finished).toISOString()}, refused ${refused}`
  const progress = `${done} of ${of} patients, refused ${refused}, at ${new Date(updated).toISOString()}`
  return `${what}  ${STEPS[step]}: ${progress}. To continue an interrupted rotation, run: phi keys rotate TENANT`
}

function dueLine(one: KeyDue, now: number): string {
  const when =
    one.due === undefined
      ? 'overdue, because its age is unknown'
      : `${isKeyDue(one, now) ? 'overdue since' : 'due on'} ${day(one.due)}`
  return `rotation of ${one.key} key version ${one.version}  ${when}`
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10)

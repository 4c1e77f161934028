import type { Command } from 'commander'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { exportCommand } from '../../cli/audit-export.ts'
import { proveCommand, verifyProofCommand } from '../../cli/audit-prove.ts'
import { verifyCommand } from '../../cli/audit-verify.ts'
import { openNotary } from '../../gateway/open-notary.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { auditOf } from '../gateway/asking.ts'
import { type ClinicAnswer, runClinic, type RunningClinic } from '../harness/running-clinic.ts'
import { runCommand } from './run-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-live-'))
const place = (name: string): string => join(folder, name)
const NOT_SEALED = 3

let clinic: RunningClinic
let sealed: ClinicAnswer
beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  sealed = await chart()
  await seal()
})
afterEach(() => vi.restoreAllMocks())
afterAll(async () => {
  await clinic.stop()
  rmSync(folder, { recursive: true })
})

const chart = async (): Promise<ClinicAnswer> =>
  await clinic.ask('physician', '{ patients(first: 2) { edges { node { familyName birthDate ssn } } } }')

async function seal(): Promise<void> {
  const notary = openNotary(clinic.stack.env, { lock: clinicLock(), events: () => undefined })
  expect(await notary.run()).toBe(true)
}

/** Runs a command in this process, whose environment is that of the clinic. */
async function run(command: Command, ...words: readonly string[]): Promise<{ code: number; out: string; error: string }> {
  const { code, stdout: out, stderr: error } = await runCommand(command, words)
  return { code, out, error }
}

describe('P7: phi audit prove, over the tables of a running system', () => {
  it('P7: says how long to wait for an item that is not sealed, and writes no proof', async () => {
    const { phi } = await chart()
    const { code, out, error } = await run(proveCommand(), phi.requestId, '--out', place('early'))
    expect(code).toBe(NOT_SEALED)
    expect(out).toBe('0 of 2 items proven. Each file shows all records of its item.\n')
    const lines = error.trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    for (const line of lines) expect(line).toMatch(/^[\w.-]+\/\d+ is not sealed yet\. Try again in (?:1[01]\d|120|\d\d?) s\.$/)
  })

  it('P7: writes a proof for each item of a request, or for the item of a record, and each verifies', async () => {
    const whole = await run(proveCommand(), sealed.phi.requestId, '--out', place('request'))
    expect(whole).toEqual({ code: 0, out: '2 of 2 items proven. Each file shows all records of its item.\n', error: '' })
    const names = readdirSync(place('request'))
    expect(['.tlog-proof', '.item.json', 'policy'].map((end) => names.filter((name) => name.endsWith(end)).length)).toEqual([
      2, 2, 1,
    ])
    expect(names).toHaveLength(5)

    const [entry] = await auditOf(clinic, sealed)
    const address = `${entry?.lane ?? ''}/${entry?.sequence ?? 0}`
    const one = await run(proveCommand(), `${address}/${entry?.index ?? 0}`, '--out', place('record'))
    expect(one.code).toBe(0)
    const proofs = readdirSync(place('record')).filter((name) => name.endsWith('.tlog-proof'))
    expect(proofs).toEqual([`${entry?.lane ?? ''}-${entry?.sequence ?? 0}.tlog-proof`])
    const verified = await run(
      verifyProofCommand(),
      ...proofs.map((name) => join(place('record'), name)),
      '--policy',
      join(place('record'), 'policy'),
    )
    expect(verified.code).toBe(0)
    expect(verified.out).toContain(`: 3 field records, item ${address} of `)
  })

  it('P7: refuses an unknown request and a folder with files', async () => {
    expect(await run(proveCommand(), 'unknown', '--out', place('unknown'))).toMatchObject({
      code: 1,
      error:
        'error: this is no request id, and no address of a record. Copy extensions.phi.requestId of the response, or write lane/sequence/index.\n',
    })
    expect(await run(proveCommand(), 'A'.repeat(24), '--out', place('unknown'))).toMatchObject({
      code: 1,
      error: expect.stringMatching(
        /^error: No record of this request of 1970-01-01T00:00:00.000Z in the log of riverside\. /,
      ) as string,
    })
    expect(await run(proveCommand(), sealed.phi.requestId, '--out', place('request'))).toMatchObject({
      code: 1,
      error: `error: ${place('request')} (--out) is not empty. Choose a folder that is empty or does not exist.\n`,
    })
  })
})

describe('P7: phi audit export, over the objects of a running system', () => {
  it('P7: copies the log, and the copy verifies with all records of the requests', async () => {
    const made = await run(exportCommand(), '--out', place('export'))
    expect(made).toMatchObject({ code: 0, error: '' })
    const [, items] = /^(\d+) items, positions 0 to \1\. Verify them with: phi audit verify DIR\n$/.exec(made.out) ?? []
    expect(Number(items)).toBeGreaterThanOrEqual(2)
    const report = await run(verifyCommand(), place('export'), '--policy', join(place('export'), 'policy'), '--json')
    expect(report.code).toBe(0)
    expect(JSON.parse(report.out)).toMatchObject({ items: Number(items), findings: [], replay: { notAllowed: 0 } })
  })

  it('P7: refuses a reversed span, a folder with files and a tenant without a log', async () => {
    expect(await run(exportCommand(), '--from', '2026', '--to', '2025', '--out', place('reversed'))).toMatchObject({
      code: 1,
      error: 'error: --from is later than --to. Exchange them.\n',
    })
    expect(await run(exportCommand(), '--out', place('export'))).toMatchObject({
      code: 1,
      error: `error: ${place('export')} (--out) is not empty. Choose a folder that is empty or does not exist.\n`,
    })
    const nobody = await run(exportCommand(), '--tenant', 'northside', '--out', place('nobody'))
    expect(nobody.code).toBe(1)
    expect(nobody.error).toMatch(/^error: /)
  })
})

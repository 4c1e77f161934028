import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importCommand } from '../../cli/import.ts'
import { DEMO_USERS } from '../../infra/local/users.ts'
import { studyCommand } from '../../cli/study.ts'
import { openImporter } from '../../gateway/admin/open-importer.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { AUDIENCE, ISSUER, type startIssuer, type TokenParts } from '../gateway/access/issuer.ts'
import { at, nodesAt } from '../gateway/asking.ts'
import { type ClinicAnswer, read, type RunningClinic } from '../harness/running-clinic.ts'

/** The report of `phi import --json`, and the exit code. */
export interface CaseReport {
  readonly exitCode: number
  readonly entries: Readonly<Record<string, number>>
  readonly faults: readonly { readonly entry?: number; readonly reason: string }[]
  readonly replaced: readonly unknown[]
}

interface CaseParts {
  readonly clinic: RunningClinic
  readonly issuer: Awaited<ReturnType<typeof startIssuer>>
}

/** The nodes of a list of a patient, or of the data of an answer. */
export const valuesIn = (answer: unknown, list: string): unknown[] =>
  nodesAt(at(answer, 'data', 'patient') === undefined ? answer : at(answer, 'data', 'patient'), list)

/** The patient of an answer without errors. */
export function patientIn({ data, errors }: ClinicAnswer): Readonly<Record<string, unknown>> {
  const patient = at(data, 'patient')
  if (errors.length > 0 || typeof patient !== 'object' || patient === null) throw new Error(JSON.stringify({ data, errors }))
  return patient as Readonly<Record<string, unknown>>
}

export const reasonsIn = ({ errors }: ClinicAnswer): unknown[] => errors.map(({ extensions }) => extensions['reason'])

/** The reasons why an entry, or a part of it, was not imported. */
export const faultOf = (faults: CaseReport['faults'], entry: number): string =>
  faults.flatMap((fault) => (fault.entry === entry ? fault.reason : [])).join('\n')

/** One case: its files go through the commands into the engine, and its questions through the gateway. */
export class CaseRun {
  readonly #parts: CaseParts
  readonly #folder: string

  constructor(parts: CaseParts, folder: string) {
    this.#parts = parts
    this.#folder = folder
  }

  /** Runs `phi import` on a file or a folder of the case. The practitioner of the cases is the demo user `physician`, if assigned. */
  async imports(path = 'input.json', { assigned = true } = {}): Promise<CaseReport> {
    const assignment = assigned ? ['--assign', 'physician=Practitioner/case-doctor'] : []
    const command = importCommand({
      openImporter: (tenant) => openImporter(tenant, clinicLock(), 'existing'),
      users: () => Promise.resolve(DEMO_USERS),
    })
    const { exitCode, output } = await printedBy(() =>
      command.parseAsync([join(this.#folder, path), ...assignment, '--json'], { from: 'user' }),
    )
    return { ...(JSON.parse(output) as Omit<CaseReport, 'exitCode'>), exitCode }
  }

  /** The node id that the front desk finds by the number of the patient. */
  async idOf(mrn: string): Promise<string> {
    const answer = await this.asks('frontdesk', `{ patientsByIdentifier(mrn: "${mrn}") { edges { node { id } } } }`)
    const [found, ...others] = nodesAt(answer.data, 'patientsByIdentifier')
    if (found === undefined || others.length > 0) throw new Error(`not one patient: ${JSON.stringify(answer)}`)
    return String(at(found, 'id'))
  }

  /** @param selection the fields of the patient */
  async reads(mrn: string, selection: string, user = 'physician'): Promise<ClinicAnswer> {
    return await this.asks(user, `{ patient(id: "${await this.idOf(mrn)}") ${selection} }`)
  }

  async asks(user: string, query: string, headers?: Record<string, string>): Promise<ClinicAnswer> {
    return await this.#parts.clinic.ask(user, query, undefined, headers)
  }

  /** Sends the body of a file as the physician. */
  async posts(file: string): Promise<ClinicAnswer> {
    const { clinic } = this.#parts
    const request = await clinic.requestOf('physician', '')
    return read(await clinic.gateway.handle({ ...request, body: this.#text(file) }))
  }

  /** Asks with the token of a file, of an issuer with the settings of the file and `more`. */
  async asksByToken(query: string, file: string, more: TokenParts = {}): Promise<ClinicAnswer> {
    const { clinic, issuer } = this.#parts
    const now = Math.floor(Date.now() / 1000)
    const text = this.#text(file).replaceAll(/"NOW([+-]\d+)?"/g, (_all, offset = '0') => String(now + Number(offset)))
    const { PHI_CLAIMS, header, claims } = JSON.parse(text) as Record<'PHI_CLAIMS' | 'header' | 'claims', TokenParts>
    const { gateway } = await clinic.another({
      env: {
        PHI_ISSUER: ISSUER,
        PHI_AUDIENCE: AUDIENCE,
        PHI_JWKS_URI: issuer.jwksUri,
        PHI_CLAIMS: JSON.stringify({ ...PHI_CLAIMS, ...more }),
      },
    })
    const authorization = `Bearer ${await issuer.sign(claims, { typ: undefined, ...header })}`
    const headers = { 'content-type': 'application/json', authorization }
    return read(await gateway.handle({ method: 'POST', headers, body: JSON.stringify({ query }) }))
  }

  async readsByToken(mrn: string, selection: string, file: string, more: TokenParts = {}): Promise<ClinicAnswer> {
    return await this.asksByToken(`{ patient(id: "${await this.idOf(mrn)}") ${selection} }`, file, more)
  }

  /** Runs `phi study put` for a study of the demo user `researcher`. */
  async enrolls(protocol: string, mrns: readonly string[]): Promise<void> {
    const patients = await Promise.all(mrns.map((mrn) => this.idOf(mrn)))
    const folder = mkdtempSync(join(tmpdir(), 'phi-case-'))
    try {
      const file = join(folder, 'study.json')
      const study = { protocol, researchers: ['Practitioner/researcher'], until: '2040-01-01T00:00:00Z', patients }
      writeFileSync(file, JSON.stringify(study))
      await printedBy(() => studyCommand().parseAsync(['put', file, '--tenant', 'riverside', '--new-study'], { from: 'user' }))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  #text(file: string): string {
    return readFileSync(join(this.#folder, file), 'utf8')
  }
}

/** Runs a command in this process. Its output and its exit code do not reach the process. */
async function printedBy(run: () => Promise<unknown>): Promise<{ readonly exitCode: number; readonly output: string }> {
  const { exitCode: before } = process
  const write = process.stdout.write.bind(process.stdout)
  const parts: string[] = []
  process.stdout.write = (chunk: string | Uint8Array) => parts.push(String(chunk)) > 0
  try {
    await run()
    return { exitCode: Number(process.exitCode ?? 0), output: parts.join('') }
  } finally {
    process.stdout.write = write
    process.exitCode = before
  }
}

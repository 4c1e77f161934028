import { type ClientCheck, type ExceedingOperation, isSound } from '../operations/contracts/check-clients.ts'
import { contractChangeText } from '../operations/contracts/contract-diff.ts'
import { type ContractReport, contractReportMarkdown } from '../operations/contracts/contract-report.ts'
import { contractText } from '../operations/contracts/contract-text.ts'
import type { PublicationReport } from '../operations/contracts/report.ts'
import { reportMarkdown } from '../operations/contracts/report-markdown.ts'
import { type AdminRefusal, adminRefusalText } from '../operations/persisted/admin-refusal.ts'
import { pageDetail } from '../model/limit-details.ts'
import { BadUserInput } from '../model/failures.ts'
import { MAX_PAGE } from '../model/list.ts'
import type { AppVersion, RegisteredClient, RegisteredOperation, VersionState } from '../model/registered-operation.ts'

/** The arguments of a resolver. */
export type Args = Readonly<Record<string, unknown>>
type Page<T> = (args: Args) => readonly T[]

interface FaultPayload {
  readonly kind: string
  readonly path: string | null
  readonly reason: string | null
  readonly message: string
}

interface ExceedingPayload {
  readonly clientId: string
  readonly id: string
  readonly name: string
  readonly faults: readonly FaultPayload[]
}

/** A change of the registry in the API, type `RegistryChange`. */
export interface ChangePayload {
  readonly done: boolean
  readonly refusal: string | null
  readonly messages: readonly string[]
  readonly exceedingCount: number
  readonly exceeding: Page<ExceedingPayload>
  readonly widened: readonly string[]
  readonly narrowed: readonly string[]
  // graphql calls a report only if the operation selects it
  readonly report: () => string | null
  readonly reportJson: () => string | null
}

/** A client in the API, type `RegisteredClient`. */
export interface ClientPayload {
  readonly clientId: string
  readonly contract: () => string | null
  readonly contractDigest: string | null
  /** RFC 3339. */
  readonly contractExpires: string | null
  readonly approvedBy: string | null
  readonly approvedAt: string | null
  readonly versions: readonly VersionPayload[]
  readonly operations: (args: Args) => Promise<readonly OperationPayload[]>
}

interface VersionPayload extends AppVersion {
  readonly state: VersionState
}

interface OperationPayload {
  readonly id: string
  readonly name: string
  readonly text: string
  readonly versions: readonly VersionPayload[]
  readonly approvedBy: string
  readonly approvedAt: string
  readonly policyDigest: string
  readonly contractDigest: string | null
  readonly revokedBy: string | null
  readonly revokedAt: string | null
}

/** The state of all operations in the API, type `OperationCheck`. */
export interface CheckPayload extends Pick<ClientCheck, 'policyDigest' | 'clients' | 'operations'> {
  readonly sound: boolean
  readonly exceedingCount: number
  readonly exceeding: Page<ExceedingPayload>
  readonly contracts: readonly { readonly clientId: string; readonly messages: readonly string[] }[]
}

const NOTHING = {
  refusal: null,
  messages: [],
  ...exceedingMembers([]),
  widened: [],
  narrowed: [],
  report: () => null,
  reportJson: () => null,
}

/** A change without a report. */
export const changePayload = (done: boolean): ChangePayload => ({ ...NOTHING, done })

export function refusedPayload(refusal: AdminRefusal): ChangePayload {
  const payload = { ...NOTHING, done: false, refusal: refusal.refused, messages: adminRefusalText(refusal) }
  if (refusal.refused !== 'OPERATIONS') return payload
  const { client, operations } = refusal.report
  const refused = operations.filter(({ verdict }) => verdict === 'REFUSED')
  return {
    ...payload,
    ...exceedingMembers(refused.map(({ id, name, faults }) => ({ client, id, name, faults }))),
    ...reportMembers(refusal.report, reportMarkdown),
  }
}

export const publicationPayload = (report: PublicationReport, done: boolean): ChangePayload => ({
  ...NOTHING,
  done,
  // the report of a dry run would name an approval that nobody gave
  ...(done && reportMembers(report, reportMarkdown)),
})

export const contractPayload = (report: ContractReport, done: boolean): ChangePayload => ({
  ...NOTHING,
  done,
  ...exceedingMembers(report.exceeding),
  widened: report.widened.map(contractChangeText),
  narrowed: report.narrowed.map(contractChangeText),
  ...(done && reportMembers(report, contractReportMarkdown)),
})

/** @param load reads the operations of the client */
export function clientPayload(
  { client, contract, approval, apps }: RegisteredClient,
  load: () => Promise<readonly RegisteredOperation[]>,
): ClientPayload {
  // two aliases are one read
  let operations: Promise<readonly RegisteredOperation[]> | undefined
  return {
    clientId: client,
    contract: () => (contract === undefined ? null : contractText(contract)),
    contractDigest: contract?.digest ?? null,
    contractExpires: timeText(contract?.expiresAt),
    approvedBy: approval?.by ?? null,
    approvedAt: timeText(approval?.at),
    versions: Object.entries(apps).flatMap(([app, versions]) =>
      Object.entries(versions).map(([version, state]) => ({ app, version, state })),
    ),
    operations: async (args) => {
      operations ??= load()
      return pageOf(await operations, args).map((operation) => operationPayload(operation, apps))
    },
  }
}

function operationPayload(operation: RegisteredOperation, apps: RegisteredClient['apps']): OperationPayload {
  const { id, name, text, versions, approval, revoked } = operation
  return {
    ...{ id, name, text },
    versions: versions.flatMap(({ app, version }) => {
      const state = apps[app]?.[version]
      return state === undefined ? [] : [{ app, version, state }]
    }),
    approvedBy: approval.by,
    approvedAt: new Date(approval.at).toISOString(),
    policyDigest: approval.policy,
    contractDigest: approval.contract ?? null,
    revokedBy: revoked?.by ?? null,
    revokedAt: timeText(revoked?.at),
  }
}

export function checkPayload(check: ClientCheck): CheckPayload {
  const { policyDigest, clients, operations, refused, contracts } = check
  return {
    sound: isSound(check),
    ...{ policyDigest, clients, operations },
    ...exceedingMembers(refused),
    contracts: contracts.map(({ client, faults }) => ({ clientId: client, messages: faults.map(({ message }) => message) })),
  }
}

function exceedingMembers(exceeding: readonly ExceedingOperation[]): Pick<CheckPayload, 'exceedingCount' | 'exceeding'> {
  return { exceedingCount: exceeding.length, exceeding: (args) => pageOf(exceeding, args).map(exceedingPayload) }
}

const exceedingPayload = ({ client, id, name, faults }: ExceedingOperation): ExceedingPayload => ({
  clientId: client,
  id,
  name,
  faults: faults.map(faultPayload),
})

function faultPayload(fault: ExceedingOperation['faults'][number]): FaultPayload {
  const { kind, message } = fault
  switch (kind) {
    case 'DOCUMENT':
      return { kind, path: null, reason: fault.code, message }
    case 'PATH':
      return { kind, path: fault.path, reason: fault.reason, message }
    case 'ROOT':
      return { kind, path: fault.root, reason: null, message }
    case 'PAGE':
      return { kind, path: fault.coordinate, reason: null, message }
    case 'COST':
      return { kind, path: null, reason: null, message }
  }
  return kind satisfies never
}

const reportMembers = <Report>(
  report: Report,
  markdown: (report: Report) => string,
): Pick<ChangePayload, 'report' | 'reportJson'> => ({
  report: () => markdown(report),
  reportJson: () => JSON.stringify(report),
})

/** @throws BadUserInput */
function pageOf<T>(items: readonly T[], { first, skip }: Args): readonly T[] {
  if (!isCount(first) || first < 1 || first > MAX_PAGE || !isCount(skip))
    throw new BadUserInput({ detail: () => pageDetail(first, skip) })
  return items.slice(skip, skip + first)
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0
const timeText = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString())

import { type CursorBound, openCursor, sealCursor } from '../crypto/cursor.ts'
import { type LogPosition, MAX_ACCESSES } from '../audit/patient-accesses.ts'
import type { Coordinate } from '../../directives/coordinates.ts'
import { CURSOR_DETAIL } from '../model/limit-details.ts'
import { BadUserInput, keyOverdue, StoreUnavailable } from '../model/failures.ts'
import type { Json } from '../model/record.ts'
import { type AccessRow, inOrder, RequestGroups, rowOf } from './access-rows.ts'
import { categoryInWords, purposeInWords, reasonInWords } from './access-words.ts'
import type { OwnRecordQuestion } from './own-record-questions.ts'
import { PageCursor } from './page-cursor.ts'
import { pageSize } from './record-lists.ts'
import type { RecordView } from './record-view.ts'
import type { AccessHistory, RecordAccess, RequestIdentity } from './request-parts.ts'
import { ShownAccesses, type ShownParts } from './shown-accesses.ts'
import { spanOf } from './question-span.ts'

interface PatientAccessParts
  extends ShownParts,
    Pick<RequestIdentity, 'requestId'>,
    Pick<RecordAccess, 'ids' | 'keyring'>,
    AccessHistory {}

const WHO_SAW = 'Query.whoSawMyRecord' as Coordinate

/** Answers of the audit function that one page may take. Nearly always one has all of the span. */
const MAX_ANSWERS = 4
/** Share of the remaining time for one answer. */
const ANSWER_SHARE = 0.6
/** The length of a position as text, so that all cursors have one length. */
const POSITION_LENGTH = 170

/** The arguments of the root. */
export interface WhoSawArguments {
  /** Milliseconds since the epoch, both inclusive. */
  readonly from: number
  readonly to: number
  readonly size: number
  readonly after: string | undefined
  /** As the client sent them. */
  readonly bound: Json
}

/** A page of rows as the schema has it. */
export interface AccessConnection {
  readonly edges: readonly { readonly cursor: string; readonly node: object }[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
  readonly mayBeIncomplete: true
}

/** Where a page begins: after a position of the log, without the rest of a request that the page before has shown. */
interface PageStart {
  readonly position: LogPosition
  readonly shown: string
}

/** Answers who accessed a patient's record. The caller is known to act as the patient or for the patient. */
export class PatientAccesses implements OwnRecordQuestion<WhoSawArguments, AccessConnection> {
  readonly coordinate = WHO_SAW
  readonly #parts: PatientAccessParts

  constructor(parts: PatientAccessParts) {
    this.#parts = parts
  }

  /** @throws BadUserInput for arguments that no patient makes valid */
  argumentsOf(args: Readonly<Record<string, unknown>>): WhoSawArguments {
    const { after } = args
    const { from, to, bound } = spanOf(args)
    if (after !== undefined && after !== null && typeof after !== 'string') throw new BadUserInput({ detail: CURSOR_DETAIL })
    return {
      from,
      to,
      size: pageSize(args['first'], this.#parts.caller),
      after: typeof after === 'string' ? after : undefined,
      bound,
    }
  }

  countOf({ edges }: AccessConnection): number {
    return edges.length
  }

  /**
   * A page of rows. A row that the caller may not know of is neither shown nor counted, and does not end a page.
   *
   * @returns DENIED if the caller is neither the patient nor acts for the patient
   * @throws BadUserInput for a cursor of another list; StoreUnavailable, KeyUnavailable, IntegrityFailure, Erased
   */
  async answer(patient: RecordView, { from, to, size, after, bound }: WhoSawArguments): Promise<AccessConnection | 'DENIED'> {
    const { caller, ids, keyring, deadline } = this.#parts
    const key = await deadline.wait(() => keyring.purposeKey(caller.tenant, 'cursor'), keyOverdue)
    const bounds: CursorBound = {
      caller,
      coordinate: WHO_SAW,
      patient: patient.ref.patient,
      filter: [bound, ...ids.bound()],
    }
    const start = after === undefined ? undefined : startOf(openCursor(key, bounds, after))
    const seal = (position: LogPosition, shown: string): string => sealCursor(key, bounds, textOf({ position, shown }))
    const read = await this.#rows(patient, { from, to, size, start })
    if (read === 'DENIED') return read
    const { rows, rest } = read
    const page = rows.slice(0, size)
    const names = await this.#namesOf(page)
    const edges = page.map((row) => {
      const cursor = new PageCursor(() => seal(row.position, row.requestId))
      return {
        get cursor() {
          return cursor.text
        },
        node: this.#nodeOf(row, names),
      }
    })
    const isFull = rows.length > size
    return {
      edges,
      pageInfo: {
        hasNextPage: isFull || rest !== undefined,
        hasPreviousPage: start !== undefined,
        get startCursor() {
          return edges[0]?.cursor ?? null
        },
        get endCursor() {
          if (isFull || rest === undefined) return edges.at(-1)?.cursor ?? null
          // the rest of a request of this page is a row of a later page
          return seal(rest, start?.shown ?? '')
        },
      },
      mayBeIncomplete: true,
    }
  }

  /**
   * The rows of a page and one more, if there is one.
   *
   * @returns `rest`: the end of what was read, if the page is not full and the log continues
   */
  async #rows(
    patient: RecordView,
    { from, to, size, start }: Pick<WhoSawArguments, 'from' | 'to' | 'size'> & { readonly start: PageStart | undefined },
  ): Promise<{ readonly rows: readonly AccessRow[]; readonly rest: LogPosition | undefined } | 'DENIED'> {
    const { caller, requestId, deadline, patientAccesses } = this.#parts
    if (patientAccesses === undefined) throw new StoreUnavailable()
    const groups = new RequestGroups()
    let after = start?.position
    const question = { tenant: caller.tenant, patient: patient.ref.patient, from, to, requestId, limit: MAX_ACCESSES }
    const ask = async () =>
      await patientAccesses.accesses({ ...question, ...(after !== undefined && { after }) }, deadline.share(ANSWER_SHARE))
    const shown = await ShownAccesses.open(this.#parts, patient)
    if (shown === 'DENIED') return shown
    let answer = await ask()
    for (let answers = 1; ; answers++) {
      groups.add(answer.accesses.filter((access) => access.requestId !== start?.shown))
      const rows = await this.#shownRows(groups, shown, size)
      after = answer.next
      // the last request of an answer can continue in the next one
      const last = answer.accesses.at(-1)?.requestId
      const isWhole = rows.length > size && rows.slice(0, size).every((row) => row.requestId !== last)
      if (after === undefined || isWhole) return { rows, rest: after }
      if (answers === MAX_ANSWERS) {
        // the next page has the whole of a request that continues after what was read
        const whole = groups.before(last ?? '')
        return whole === undefined
          ? { rows, rest: after }
          : { rows: await this.#shownRows(whole.groups, shown, size), rest: whole.end }
      }
      answer = await ask()
    }
  }

  /** Checks requests in their order until there are rows for a page and one more. */
  async #shownRows(groups: RequestGroups, shown: ShownAccesses, size: number): Promise<readonly AccessRow[]> {
    const may = groups.all().flatMap((group) => {
      const accesses = group.filter((access) => shown.mayBeShown(access))
      return accesses.length === 0 ? [] : [accesses]
    })
    const rows: AccessRow[] = []
    for (let begin = 0; begin < may.length && rows.length <= size; begin += size + 1) {
      const part = may.slice(begin, begin + size + 1)
      await shown.check(part.flat())
      rows.push(...part.flatMap((group) => rowOf(group, (access) => shown.shown(access)) ?? []))
    }
    return inOrder(rows).slice(0, size + 1)
  }

  /** Names of members of the workforce. A patient, a representative or a partner has none here. */
  async #namesOf(rows: readonly AccessRow[]): Promise<ReadonlyMap<string, string>> {
    const { caller, deadline, policy, workforce } = this.#parts
    const kindOf = new Map([...policy.roles].map(([role, { kind }]) => [role as string, kind]))
    const isWorkforce = ({ roles }: AccessRow): boolean => {
      const kinds = roles.map((role) => kindOf.get(role))
      return kinds.length > 0 && kinds.every((kind) => kind !== undefined && kind !== 'PATIENT' && kind !== 'PARTNER')
    }
    const users = [...new Set(rows.filter(isWorkforce).map(({ user }) => user))]
    if (workforce === undefined || users.length === 0) return new Map()
    return await workforce.namesOf(caller.tenant, users, deadline)
  }

  #nodeOf(row: AccessRow, names: ReadonlyMap<string, string>): object {
    const { user, roles, organization, purpose, access, categories, bases, position } = row
    return {
      at: new Date(position.time).toISOString(),
      who: names.get(user) ?? null,
      role: roles.join(', '),
      organization: organization ?? null,
      mine: user === this.#parts.caller.user,
      access,
      categories: [...categories].map(categoryInWords).toSorted(),
      purpose: purposeInWords(purpose),
      why: reasonInWords(row),
      breakGlass: bases.has('BREAK_GLASS'),
    }
  }
}

/** The position as a list of one length: the last entry fills it up. */
function textOf({ position: { time, lane, sequence, index }, shown }: PageStart): Json {
  const entries = [time, lane, sequence, index, shown]
  return [...entries, ' '.repeat(Math.max(0, POSITION_LENGTH - JSON.stringify(entries).length))]
}

/** @throws BadUserInput */
function startOf(value: Json): PageStart {
  if (!Array.isArray(value)) throw new BadUserInput({ detail: CURSOR_DETAIL })
  const [time, lane, sequence, index, shown] = value as readonly Json[]
  const isPosition = typeof time === 'number' && typeof sequence === 'number' && typeof index === 'number'
  if (!isPosition || typeof lane !== 'string' || typeof shown !== 'string') throw new BadUserInput({ detail: CURSOR_DETAIL })
  return { position: { time, lane, sequence, index }, shown }
}

import type { Sensitivity } from '../../../directives/policy.ts'
import { MINORS } from '../../../gateway/model/minors.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import type { NewRecord } from '../../../gateway/model/record.ts'
import type { Admissions } from '../admitted.ts'
import { STUDY } from '../asking.ts'
import type { OneEdge, RecordShapes } from './record-shapes.ts'

/**
 * The cause that closes the records of a chart.
 * - LABELS: their sensitivities, to everybody.
 * - DENIAL: a denial names two of each type, and the encounter of the third.
 */
type Closing = 'LABELS' | 'DENIAL'

/** The records of a pair. */
export interface TwinPlan {
  readonly closing: Closing
  /** The number of open records of a type, at most four. */
  readonly open: (type: string) => number
  /** Whether one of the two patients has three closed records of a type. */
  readonly closed: (type: string) => boolean
  /** Whether open records of that patient refer to closed ones. A denial of a record closes the records that refer to it, too. */
  readonly refers: boolean
}

/** Two patients with equal open records. Only the first of them has closed records. */
export interface Twins extends TwinPlan {
  readonly name: string
  /** The node id of the patient with closed records, and of the one without. */
  readonly both: readonly [withClosed: string, without: string]
  /** The node ids of a closed record of a type, and of one that the other patient does not have. */
  closedRecord(type: string): readonly [closed: string, missing: string]
}

/** The dates of the closed records lie before, between and after those of the open ones. */
const CLOSED_ON = ['2025-01-01', '2024-03-15', '2023-01-01'] as const
const LABELS = ['ETH', 'PSYTHPN'] as Sensitivity[]
const TEAM = ['physician', 'nurse']

export const OPEN_DATES = ['2024-02-01', '2024-03-01', '2024-04-01', '2024-05-01'] as const
/** The codes and categories that only closed records have, only open ones, both, and none. */
export const CODES = ['closed', 'open', 'both', 'neither'] as const

/** Before, between and after the dates of open and closed records. */
export const MOMENTS = ['2023-06', '2024-03-02', '2024-03-20', '2026'] as const

const moment = (day: string): string => `${day}T00:00:00.000Z`

/** Writes pairs of patients for every record type of the schema. */
export class TwinCharts {
  readonly #ward: Admissions
  readonly #shapes: RecordShapes

  constructor(ward: Admissions, shapes: RecordShapes) {
    this.#ward = ward
    this.#shapes = shapes
  }

  async write(name: string, plan: TwinPlan): Promise<Twins> {
    const names = [`${name} with`, `${name} without`] as const
    const [withClosed = '', without = ''] = await Promise.all(names.map((one, side) => this.#patient(one, side === 0, plan)))
    const [first, second] = names
    return {
      ...plan,
      name,
      both: [withClosed, without],
      closedRecord: (type) => [this.#ward.id(first, type, 'closed 1'), this.#ward.id(second, type, 'closed 1')],
    }
  }

  async #patient(name: string, hasClosed: boolean, plan: TwinPlan): Promise<string> {
    const shapes = this.#shapes
    const own = this.#ward.record(name, shapes.patient, '', shapes.values(shapes.patient), { open: shapes.open(shapes.patient) })
    const open = shapes.types.flatMap((type) =>
      OPEN_DATES.slice(0, plan.open(type)).map((day, at) => this.#open(name, type, { at, day, hasClosed }, plan)),
    )
    const closed = shapes.types
      .filter((type) => hasClosed && plan.closed(type))
      .flatMap((type) => CLOSED_ON.map((day, at) => this.#closed(name, type, { at, day }, plan)))
    const consents = plan.closing === 'DENIAL' ? [this.#denial(name)] : []
    const id = await this.#ward.write(name, [own, ...open, ...closed], TEAM, consents)
    for (const [relationship, fhirUser] of [
      ['SELF', 'Patient/riverside-1'],
      ['STUDY', `ResearchStudy/${STUDY}`],
    ] as const) {
      await this.#ward.change(this.#ward.membership(name, relationship, fhirUser))
    }
    await this.#ward.change(this.#ward.membership(name, 'PROXY', 'RelatedPerson/proxy', [{ scope: MINORS.scope }]))
    return id
  }

  /** The first open record of a type refers to an open record, the last one to none, and the others to closed ones if the pair does. */
  #open(
    name: string,
    type: string,
    { at, day, hasClosed }: { at: number; day: string; hasClosed: boolean },
    plan: TwinPlan,
  ): NewRecord {
    const references = this.#ones(type).flatMap(({ field, target }) => {
      const isToClosed = plan.refers && hasClosed && at > 0 && at < OPEN_DATES.length - 1
      const leads = isToClosed ? `closed ${at}` : at === 0 && plan.open(target) > 0 ? 'open 0' : undefined
      return leads === undefined ? [] : [[field, this.#ward.ref(name, target, leads).id] as const]
    })
    return this.#ward.record(name, type, `open ${at}`, this.#shapes.values(type), {
      open: this.#shapes.open(type),
      references: Object.fromEntries(references),
      date: moment(day),
      codes: at === 0 ? ['both', 'open'] : ['open'],
      categories: at === 0 ? ['both', 'open'] : ['open'],
    })
  }

  #closed(name: string, type: string, { at, day }: { at: number; day: string }, { closing }: TwinPlan): NewRecord {
    const references = this.#ones(type).map(({ field, target }) => [field, this.#ward.ref(name, target, 'closed 2').id] as const)
    return this.#ward.record(name, type, `closed ${at}`, this.#shapes.values(type), {
      open: this.#shapes.open(type),
      ...(closing === 'DENIAL' ? { references: Object.fromEntries(references) } : { labels: LABELS }),
      date: moment(day),
      codes: at === 0 ? ['both', 'closed'] : ['closed'],
      categories: at === 0 ? ['both', 'closed'] : ['closed'],
    })
  }

  /** The edges to one record, besides those to the patient. */
  #ones(type: string): readonly OneEdge[] {
    return this.#shapes.ones(type).filter(({ target }) => target !== this.#shapes.patient)
  }

  /** Names all closed records that lead nowhere, two of the others, and the record that the third leads to. */
  #denial(name: string): Consent {
    const records = this.#shapes.types.flatMap((type) =>
      (this.#ones(type).length === 0 ? [0, 1, 2] : [0, 1]).map((at) => this.#ward.ref(name, type, `closed ${at}`).id),
    )
    return { id: 'denial', effect: 'DENY', records }
  }
}

import type { GraphQLResolveInfo } from 'graphql'
import type { Refusal } from '../model/decision.ts'
import type { FailureCode } from '../model/failures.ts'
import type { View } from '../../directives/policy.ts'
import { type ErrorText, fixedText } from '../model/failure-messages.ts'
import type { PathOutcome } from './path-outcome.ts'

type ResponsePath = GraphQLResolveInfo['path']

/** An entry of `errors`, as plain data: a GraphQLError for each row costs many times the query. */
export interface ResponseError {
  readonly message: string
  /** Of the first occurrence. */
  readonly path: readonly (string | number)[]
  readonly extensions: {
    readonly code: FailureCode
    readonly coordinate?: string
    readonly reason?: Refusal
    readonly rule?: string
    /** How many values were refused, each counted once however often it was asked for. */
    readonly count?: number
    /** Every place in the answer that is null for this reason. */
    readonly paths?: readonly (readonly (string | number)[])[]
    readonly breakGlass?: boolean
  }
}

/** A coordinate with masked values, for `extensions.phi.masked`. */
export interface MaskedEntry {
  readonly coordinate: string
  readonly view: View
  readonly count: number
  readonly paths: readonly (readonly (string | number)[])[]
}

interface Gathered<Extra> {
  readonly extra: Extra
  readonly records: Set<string>
  readonly places: ResponsePath[]
}

/** Gathers the places of the answer that are null or masked, with the reason: one entry for a path and reason. */
export class ResponseErrors {
  readonly #errors = new Map<string, Gathered<Omit<ResponseError['extensions'], 'count' | 'paths'>>>()
  /** The requested ids that led nowhere. */
  readonly missing = new Set<string>()
  readonly #masked = new Map<string, Gathered<{ coordinate: string; view: View }>>()

  /** Adds the outcome of a leaf or an edge at one place. `record` distinguishes values. */
  record(coordinate: string, record: string, outcome: PathOutcome, place: ResponsePath): void {
    switch (outcome.outcome) {
      case 'DENIED': {
        const { reason, rule, breakGlass } = outcome.denial
        const extra = {
          code: 'UNAUTHORIZED_FIELD_OR_TYPE',
          coordinate,
          reason,
          ...(rule !== undefined && { rule }),
          breakGlass,
        } as const
        gather(this.#errors, `${coordinate} ${reason} ${rule ?? ''} ${breakGlass}`, extra, record, place)
        return
      }
      case 'UNAVAILABLE':
        this.unavailable(coordinate, record, place)
        return
      case 'ERASED':
        gather(this.#errors, `${coordinate} ERASED`, { code: 'FIELD_ERASED', coordinate }, record, place)
        return
      case 'MASKED':
        gather(this.#masked, `${coordinate} ${outcome.view}`, { coordinate, view: outcome.view }, record, place)
        return
      case 'DISCLOSED':
      case 'ABSENT':
      case 'PERMITTED':
        return
      default:
        outcome satisfies never
    }
  }

  /** A value, a record or a list that exists and cannot be given now. */
  unavailable(coordinate: string, record: string, place: ResponsePath): void {
    gather(this.#errors, `${coordinate} UNAVAILABLE`, { code: 'FIELD_UNAVAILABLE', coordinate }, record, place)
  }

  /** Nothing that this caller may know of. The entry is the same for every cause (P5). @param id the requested id, counted once */
  notFound(place: ResponsePath, id?: string): void {
    const key = flatten(place).join('/')
    this.missing.add(id ?? key)
    gather(this.#errors, `NOT_FOUND ${key}`, { code: 'NOT_FOUND' }, key, place)
  }

  /** The entries of `errors`, in the order of their first occurrence. */
  errors(text: ErrorText = fixedText): ResponseError[] {
    return [...this.#errors.values()].map(({ extra, records, places }) => ({
      message: text(extra.code),
      path: flatten(places[0]),
      extensions: extra.code === 'NOT_FOUND' ? extra : { ...extra, count: records.size, paths: places.map(flatten) },
    }))
  }

  masked(): MaskedEntry[] {
    return [...this.#masked.values()].map(({ extra, records, places }) => ({
      ...extra,
      count: records.size,
      paths: places.map(flatten),
    }))
  }
}

function gather<Extra>(into: Map<string, Gathered<Extra>>, key: string, extra: Extra, record: string, place: ResponsePath): void {
  let gathered = into.get(key)
  if (gathered === undefined) into.set(key, (gathered = { extra, records: new Set(), places: [] }))
  gathered.records.add(record)
  gathered.places.push(place)
}

function flatten(place: ResponsePath | undefined): (string | number)[] {
  const path: (string | number)[] = []
  for (let at = place; at !== undefined; at = at.prev) path.push(at.key)
  return path.reverse()
}

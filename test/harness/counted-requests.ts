import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { itemBytes, type WireItem } from '../../bench/store/item-size.ts'
import type { Services } from '../../gateway/compose.ts'
import { PASS, type ServiceCall } from '../hostile/faults.ts'
import { startProxy } from '../hostile/proxy.ts'
import type { ClinicAnswer, RunningClinic } from './running-clinic.ts'

/** A request to the tables. */
export interface CountedRequest {
  /** `BatchGetItem` */
  readonly operation: string
  /** `records`: the name of the variable, without `PHI_TABLE_`. Several names are separated by commas. */
  readonly table: string
  /** The number of keys of a batch. */
  readonly keys: number
  /** Sort keys of the items that a batch reads, or tables of the actions of a transaction. */
  readonly named: readonly string[]
  /** The lengths of the items that a transaction puts, in bytes. */
  readonly lengths: readonly number[]
}

/** The work of one answer. */
export interface CountedWork {
  readonly answer: ClinicAnswer
  /** One list for each round trip. A request belongs to the round trip after the last answer that it could depend on. */
  readonly waves: readonly (readonly CountedRequest[])[]
  /** AES-256-GCM decryptions. */
  readonly openings: number
}

/** A process of the gateway with counted requests to its tables. */
export interface CountedProcess {
  readonly services: Services
  ask(user: string, query: string, variables?: Record<string, unknown>, headers?: Record<string, string>): Promise<CountedWork>
  stop(): Promise<void>
}

/** Opens another process behind a proxy. The process is cold until its first answer. */
export async function countedProcess(clinic: RunningClinic): Promise<CountedProcess> {
  const engine = clinic.stack.env.AWS_ENDPOINT_URL_DYNAMODB
  const proxy = await startProxy(engine, { remember: false })
  const tables = new Map(
    Object.entries(clinic.stack.env).flatMap(([name, table]) => (isTable(name) ? [[table, shortName(name)]] : [])),
  )
  // a client reads the variable at its first request
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint
  const other = await clinic.another()
  await other.ask('physician', '{ patients(first: 1) { edges { node { familyName } } } }')
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = engine
  return {
    services: other.services,
    async ask(user, query, variables, headers) {
      const waves: CountedRequest[][] = []
      let answered = 0
      proxy.play((call) => {
        const wave = answered
        ;(waves[wave] ??= []).push(counted(call, tables))
        return {
          kind: 'REWRITE',
          change: (reply) => {
            answered = Math.max(answered, wave + 1)
            return reply
          },
        }
      })
      const openings = countOpenings()
      const answer = await other.ask(user, query, variables, headers).finally(() => {
        openings.stop()
        proxy.play(() => PASS)
      })
      return { answer, waves, openings: openings.count() }
    },
    stop: () => proxy.stop(),
  }
}

const isTable = (name: string): boolean => name.startsWith('PHI_TABLE_')
const shortName = (name: string): string => name.slice('PHI_TABLE_'.length).toLowerCase()

function counted({ operation, json }: ServiceCall, tables: ReadonlyMap<string, string>): CountedRequest {
  const batch = Object.entries((json['RequestItems'] ?? {}) as Record<string, { Keys?: readonly Key[] }>)
  const actions = (json['TransactItems'] ?? []) as readonly Record<string, { TableName: string; Item?: WireItem }>[]
  const named = actions.flatMap((action) => Object.values(action).map(({ TableName }) => TableName))
  const own = typeof json['TableName'] === 'string' ? [json['TableName']] : []
  const nameOf = (table: string): string => tables.get(table) ?? table
  const used = new Set([...batch.map(([table]) => table), ...named, ...own].map(nameOf))
  const keys = batch.flatMap(([, { Keys = [] }]) => Keys)
  return {
    operation,
    table: [...used].toSorted().join(', '),
    keys: keys.length,
    named: batch.length > 0 ? keys.map(({ sk }) => sk?.S ?? '') : named.map(nameOf),
    lengths: actions.flatMap(({ Put }) => (Put?.Item === undefined ? [] : [itemBytes(Put.Item)])),
  }
}

interface Key {
  readonly sk?: { readonly S: string }
}

/** Counts the decryptions of this process, by any caller. */
function countOpenings(): { count: () => number; stop: () => void } {
  const genuine = crypto.createDecipheriv
  let count = 0
  crypto.createDecipheriv = ((...args: Parameters<typeof genuine>) => {
    count++
    return genuine(...args)
  }) as typeof genuine
  syncBuiltinESMExports()
  return {
    count: () => count,
    stop: () => {
      crypto.createDecipheriv = genuine
      syncBuiltinESMExports()
    },
  }
}

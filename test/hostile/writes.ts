import type { ServiceCall } from './faults.ts'
import type { WireItem } from '../../bench/store/item-size.ts'

/** One item that a call writes. */
export interface Write {
  readonly kind: 'PUT' | 'DELETE' | 'OTHER'
  readonly table: string
  /** The whole item of a put; the key of any other write. */
  readonly item: WireItem
}

interface WireAction {
  readonly TableName: string
  readonly Item?: WireItem
  readonly Key?: WireItem
}

/** The writes of a call, one for each action of a transaction and in its order; undefined for a call without writes. */
export function writesOf({ operation, json }: ServiceCall): readonly Write[] | undefined {
  switch (operation) {
    case 'TransactWriteItems':
      return (json['TransactItems'] as readonly Record<string, WireAction>[]).map((action) => {
        const [[kind, given] = ['', undefined]] = Object.entries(action)
        return writeOf(kind, given)
      })
    case 'PutItem':
      return [writeOf('Put', json as unknown as WireAction)]
    case 'DeleteItem':
      return [writeOf('Delete', json as unknown as WireAction)]
    case 'UpdateItem':
      return [writeOf('Update', json as unknown as WireAction)]
    default:
      return undefined
  }
}

function writeOf(kind: string, action: WireAction | undefined): Write {
  const written = kind === 'Put' ? 'PUT' : kind === 'Delete' ? 'DELETE' : 'OTHER'
  return { kind: written, table: action?.TableName ?? '', item: action?.Item ?? action?.Key ?? {} }
}

import type { AttributeValue } from '@aws-sdk/client-dynamodb'

/** An item as it stands in a request: binary values are base64 text. */
export type WireItem = Readonly<Record<string, WireValue>>
export type WireValue = { readonly [Kind in keyof AttributeValue]?: unknown }

/** What an item of this many bytes is charged in write units: one for each KiB that it begins. */
export const unitsOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / 1024))

/**
 * Size of an item as DynamoDB charges it, in bytes: names and values, without the 100 bytes of storage for each index entry.
 *
 * @source https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
 */
export function itemBytes(item: WireItem): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0)
}

function valueBytes(value: WireValue): number {
  const [kind = 'NULL', held] = Object.entries(value)[0] ?? []
  switch (kind) {
    case 'S':
      return Buffer.byteLength(String(held))
    case 'B':
      return base64Bytes(String(held))
    case 'N':
      return numberBytes(String(held))
    case 'SS':
      return sum(held, (part) => Buffer.byteLength(String(part)))
    case 'BS':
      return sum(held, (part) => base64Bytes(String(part)))
    case 'NS':
      return sum(held, (part) => numberBytes(String(part)))
    case 'L':
      return 3 + sum(held, (part) => 1 + valueBytes(part as WireValue))
    case 'M':
      return (
        3 + Object.entries(held as WireItem).reduce((all, [name, part]) => all + 1 + Buffer.byteLength(name) + valueBytes(part), 0)
      )
    default:
      // BOOL and NULL
      return 1
  }
}

const sum = (parts: unknown, bytesOf: (part: unknown) => number): number =>
  (parts as readonly unknown[]).reduce<number>((all, part) => all + bytesOf(part), 0)

const base64Bytes = (text: string): number => Buffer.byteLength(text, 'base64')

/** A byte for each two significant digits, one more, and one for a minus sign. */
function numberBytes(text: string): number {
  const digits = text.replace(/e.*$/i, '').replaceAll(/[-+.]/g, '').replace(/^0+/, '').replace(/0+$/, '')
  return Math.ceil(digits.length / 2) + 1 + (text.startsWith('-') ? 1 : 0)
}

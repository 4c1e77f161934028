import { isIP } from 'node:net'

/**
 * Where a request came from, as it is counted: an IPv4 address as it is, of an IPv6 address the first 64 bits, within which one
 * machine takes as many addresses as it likes (RFC 8981). Who defends the gateway blocks either.
 *
 * @param ip as API Gateway saw the other end of the connection; undefined where whoever brought the request did not tell
 */
export function sourceNetwork(ip: string | undefined): string {
  const [address = ''] = (ip ?? '').split('%')
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? []
  if (isIP(mapped ?? address) === 4) return mapped ?? address
  if (isIP(address) !== 6) return 'unknown'
  const [left = [], right = []] = address.split('::').map((half) => (half === '' ? [] : half.split(':')))
  // an IPv4 address at the end stands for two groups, and never among the first four
  const behind = right.length + (address.includes('.') ? 1 : 0)
  const groups = [...left, ...Array<string>(Math.max(0, 8 - left.length - behind)).fill('0'), ...right]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

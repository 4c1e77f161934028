import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { phiCommand } from '../../../infra/local/phi-command.ts'
import { screen } from '../../../infra/local/screen.ts'
import { asksAuditLog } from '../../../infra/local/audit-endpoint.ts'
import { firstCommandOf, firstQueryOf } from '../../../infra/local/tour.ts'
import { DEMO_USERS, type StackUser } from '../../../infra/local/users.ts'

const url = 'http://127.0.0.1:4000/graphql'
const [physician] = DEMO_USERS
const command = firstCommandOf(physician, url, {})
const shown = screen({
  url,
  auditUrl: 'http://127.0.0.1:4000/audit/graphql',
  users: DEMO_USERS,
  dataFolder: resolve('.local'),
  command,
})

describe('the screen of a stack that is ready', () => {
  it('begins with the address, and has one row for each user with role, tenant, patients and a thing to try', () => {
    const lines = shown.split('\n')
    expect(lines[0]).toMatch(/^GraphQL +http:\/\/127\.0\.0\.1:4000\/graphql /)
    expect(lines).toContainEqual(expect.stringMatching(/^USER +ROLE +TENANT +PATIENTS +TRY$/))
    for (const { name, role, tenant, patients = '?', toTry = '?' } of DEMO_USERS) {
      const [row, ...more] = lines.filter((line) => line.startsWith(`${name} `))
      expect(more).toEqual([])
      expect(row?.split(/ {2,}/)).toEqual([name, role, tenant, patients, toTry])
    }
  })

  it('fits 100 columns as plain text, except the line to copy', () => {
    expect(shown.split('\n').filter((line) => line.length > 100)).toEqual([command])
    expect(shown).toMatch(/^[\n -~]*$/)
  })

  it('fits a terminal of 80 columns: it leaves out the patients, and keeps a thing to try for each user', () => {
    const narrow = screen({ url, users: DEMO_USERS, dataFolder: resolve('.local'), command, columns: 80 })
    expect(narrow.split('\n').filter((line) => line.length > 80)).toEqual([command])
    expect(narrow).toMatch(/^USER +ROLE +TENANT +TRY$/m)
    for (const { name, role, tenant, toTry = '?' } of DEMO_USERS)
      expect(narrow.replaceAll(/\n {2,}/g, ' ')).toMatch(
        new RegExp(`^${name} +${role} +${tenant} +${toTry.split(' ')[0] ?? ''}`, 'm'),
      )
  })

  it('has any users of any schema: columns without content are left out, long texts are wrapped', () => {
    const users: StackUser[] = ['dentist', 'hygienist'].map((name) => ({
      name,
      tenant: 'practice',
      role: name.toUpperCase(),
      description: 'treats patients '.repeat(9).trim(),
    }))
    const text = screen({ url, users, dataFolder: resolve('.'), command: 'true' })
    expect(text).toMatch(/^USER {7}ROLE {7}TRY$/m)
    expect(text).toMatch(/^dentist {4}DENTIST {4}treats patients [^\n]*\n {22}patients treats/m)
    expect(text).not.toMatch(/practice|auditors/)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  })

  it('prints no control character of a name', () => {
    const users: StackUser[] = [{ name: 'a\u001b[2Jb\nc', tenant: 't', role: 'R', description: 'x\u0007\ty' }]
    const text = screen({ url, users, dataFolder: '/', command: 'true' })
    expect(text).toMatch(/^ab c +R +x y$/m)
    expect(text).toMatch(/^[\n -~]*$/)
  })
})

describe('the commands of the tour', () => {
  /** The words of a command as a shell splits them. Its substitution prints itself. */
  const wordsOf = (shell: string, line: string): string[] => {
    const print = `npm() { printf 'npm %s' "$*"; }; docker() { printf 'docker %s' "$*"; }; curl() { printf '%s\\n' "$@"; }`
    return execFileSync(shell, ['-c', `${print}\n${line}`], { encoding: 'utf8' })
      .trimEnd()
      .split('\n')
  }

  it.each(['sh', 'bash'])('one line of %s for each user, with the query of the role as it is', (shell) => {
    const commands = DEMO_USERS.map((user) => firstCommandOf(user, url, {}))
    const words = wordsOf(shell, commands.join('\n'))
    expect(words).toHaveLength(DEMO_USERS.length * 8)
    for (const [index, user] of DEMO_USERS.entries()) {
      const [silent, endpoint, , token, , type, , body = ''] = words.slice(index * 8)
      expect([silent, endpoint, token, type]).toEqual([
        '-s',
        asksAuditLog(user) ? 'http://127.0.0.1:4000/audit/graphql' : url,
        `authorization: Bearer npm run --silent phi -- token ${user.name}`,
        'content-type: application/json',
      ])
      expect(asksAuditLog(user)).toBe(['AUDITOR', 'PRIVACY_OFFICER'].includes(user.role))
      const { query, documentId } = JSON.parse(body) as Readonly<Record<string, string>>
      expect(query).toBe(firstQueryOf(user))
      if (user.client === true) expect(documentId).toMatch(/^[\w:-]+$/)
    }
  })

  it('name the data folder if it is not the default one, and the container if the stack runs in one', () => {
    expect(phiCommand({})).toBe('npm run --silent phi --')
    expect(phiCommand({ PHI_DATA: '/data/one' })).toBe('PHI_DATA=/data/one npm run --silent phi --')
    expect(wordsOf('sh', `curl $(${phiCommand({ PHI_DATA: "/it's $(here)" })} token physician)`).join(' ')).toContain(
      'token physician',
    )
    expect(phiCommand({ PHI_DATA: "/it's $(here)" })).toBe(`PHI_DATA='/it'\\''s $(here)' npm run --silent phi --`)
    expect(phiCommand({ PHI_DATA: '/data', PHI_LISTEN: '0.0.0.0' })).toBe('docker compose exec -T phi-gateway node cli/phi.ts')
  })
})

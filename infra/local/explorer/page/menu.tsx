import type { ExplorerUser } from '../explorer-config.ts'
import type { Session } from './session.ts'

interface MenuProps {
  readonly users: readonly ExplorerUser[]
  readonly session: Session
  readonly onUser: (user: ExplorerUser) => void
  readonly onPurpose: (purpose: string) => void
  readonly onExample: () => void
}

const labelOf = ({ name, role, tenant, disabled }: ExplorerUser): string =>
  `${name} (${role}, ${tenant})${disabled === undefined ? '' : `: ${disabled}`}`

/** The names of HL7 v3 ActReason for the purposes of use. */
const PURPOSE_NAMES: Readonly<Record<string, string>> = {
  TREAT: 'treatment',
  ETREAT: 'emergency treatment',
  BTG: 'break-glass',
  HPAYMT: 'payment',
  HOPERAT: 'operations',
  HRESCH: 'research',
  PATRQT: 'patient request',
  PUBHLTH: 'public health',
}

const purposeLabel = (purpose: string): string => {
  const name = PURPOSE_NAMES[purpose]
  return name === undefined ? purpose : `${purpose} (${name})`
}

/** The menus of users and purposes of use, and the suggestion for the chosen user. */
export function Menu({ users, session, onUser, onPurpose, onExample }: MenuProps) {
  const { user, purpose } = session
  return (
    <header className="menu">
      <h1>
        phi-gateway <span>explorer</span>
      </h1>
      <label>
        User
        <select
          value={user.name}
          onChange={({ target }) => {
            const chosen = users.find(({ name }) => name === target.value)
            if (chosen !== undefined) onUser(chosen)
          }}
        >
          {users.map((one) => (
            <option key={one.name} value={one.name} disabled={one.disabled !== undefined}>
              {labelOf(one)}
            </option>
          ))}
        </select>
      </label>
      <label>
        Purpose of use
        <select value={purpose ?? ''} onChange={({ target }) => onPurpose(target.value)}>
          {user.purposes.map((one) => (
            <option key={one} value={one}>
              {purposeLabel(one)}
            </option>
          ))}
        </select>
      </label>
      <button type="button" onClick={onExample}>
        Example query
      </button>
      <p className="suggestion">
        <code>{user.endpoint}</code> {user.suggestion}
      </p>
    </header>
  )
}

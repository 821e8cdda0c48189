"""What the portal asks of identity: who signed in, where their records are, whom a professional looks for."""

from uuid import UUID

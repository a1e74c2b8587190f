# SPDX-License-Identifier: Apache-2.0
"""Every order that comes in leaves a row in the audit log."""
from fastapi import Request
from sqlalchemy import Column, DateTime, Integer, String, func

from gateway.database import Base, Session


class AuditEntry(Base):
    __tablename__ = "audit_log"

    id = Column(Integer, primary_key=True)
    at = Column(DateTime(timezone=True), server_default=func.now())
    method = Column(String, nullable=False)
    path = Column(String, nullable=False)
    status = Column(Integer, nullable=False)


async def audit_middleware(request: Request, call_next):
    response = await call_next(request)
    if request.method == "POST":
        with Session() as session:
            session.add(AuditEntry(method=request.method, path=request.url.path, status=response.status_code))
            session.commit()
    return response

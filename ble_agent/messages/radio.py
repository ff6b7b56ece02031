"""Texts of radios: faults in general and in detail, lines of a self-test and of the log."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text, filled
from tracing_core.errors import RadioError, RadioFault

__all__ = ["RADIO_TEXTS", "TEXTS", "radio_error", "radio_text"]

TEXTS: Mapping[str, Text] = {
    "error_no_adapter": Text(
        "no Bluetooth adapter was found: plug one in, or name another with --radio",
        "không tìm thấy bộ điều hợp Bluetooth: hãy cắm một bộ vào hoặc chọn bộ khác bằng --radio",
    ),
    "error_no_service": Text(
        "the system's Bluetooth service is not running: sudo apt install bluez; sudo systemctl"
        " start bluetooth",
        "dịch vụ Bluetooth của hệ thống không chạy: sudo apt install bluez; sudo systemctl start"
        " bluetooth",
    ),
    "error_powered_off": Text(
        "the Bluetooth adapter is off: switch it on (if it is blocked: rfkill unblock bluetooth)",
        "bộ điều hợp Bluetooth đang tắt: hãy bật lên (nếu bị chặn: rfkill unblock bluetooth)",
    ),
    "error_permission": Text(
        "this user may not use the Bluetooth adapter: ask the device's administrator",
        "người dùng này không có quyền sử dụng bộ điều hợp Bluetooth: hãy hỏi quản trị viên",
    ),
    "error_no_advertiser": Text(
        "the Bluetooth adapter cannot send: use another",
        "bộ điều hợp Bluetooth không phát được tín hiệu: hãy dùng bộ khác",
    ),
    "error_no_low_energy": Text(
        "the adapter has no Bluetooth Low Energy: use another",
        "bộ điều hợp không hỗ trợ Bluetooth năng lượng thấp: hãy dùng bộ khác",
    ),
    "error_connection_lost": Text(
        "the Bluetooth adapter went away: plug it in again",
        "mất kết nối với bộ điều hợp Bluetooth: hãy cắm lại",
    ),
    "error_refused": Text(
        "the Bluetooth adapter refused a command: restart it, or use another",
        "bộ điều hợp Bluetooth từ chối lệnh: hãy khởi động lại hoặc dùng bộ khác",
    ),
    "error_cut_capture": Text(
        "the recording ends inside a record: everything before it was read",
        "bản ghi bị cụt giữa chừng: đã đọc mọi thứ trước đó",
    ),
    "error_unreadable_capture": Text(
        "the capture file cannot be read: check its path and format",
        "không đọc được tệp ghi tín hiệu: hãy kiểm tra đường dẫn và định dạng",
    ),
    "error_unknown_radio": Text(
        "there is no such kind of radio: see truyvet agent run --help",
        "không có loại bộ thu phát này: hãy xem truyvet agent run --help",
    ),
}
"""Texts for each kind of fault, for errors that bring none of their own."""

RADIO_TEXTS: Mapping[str, Text] = {
    # why an adapter must be opened again; these stand in brackets behind "went_away"
    "went_away": Text(
        "the adapter behind {name} went away ({why})",
        "mất kết nối với bộ điều hợp của {name} ({why})",
    ),
    "slept": Text(
        "the device slept, so the identifier changes",
        "thiết bị vừa ngủ nên mã định danh được đổi",
    ),
    "switched_off": Text(
        "it was switched off: switch it on again", "bộ điều hợp đã bị tắt: hãy bật lại"
    ),
    "unplugged": Text(
        "it was unplugged: plug it in again", "bộ điều hợp đã bị rút ra: hãy cắm lại"
    ),
    "transport_lost": Text(
        "plug it in or start it again", "hãy cắm lại hoặc khởi động lại bộ điều hợp"
    ),
    "hardware_error": Text(
        "it reported a hardware error and is reset",
        "bộ điều hợp báo lỗi phần cứng và đang được đặt lại",
    ),
    "still_sending": Text(
        "it did not stop sending: restart it", "bộ điều hợp không ngừng phát: hãy khởi động lại"
    ),
    "no_answer": Text(
        "it does not answer {command}: restart it",
        "bộ điều hợp không trả lời lệnh {command}: hãy khởi động lại",
    ),
    "channel_closed": Text(
        "the kernel closed the channel", "nhân hệ điều hành đã đóng kênh điều khiển"
    ),
    "advertisement_removed": Text(
        "its advertisement was removed", "gói quảng bá của bộ điều hợp đã bị gỡ"
    ),
    "guardian_ended": Text(
        "its guardian process has ended", "tiến trình canh giữ bộ điều hợp đã kết thúc"
    ),
    "bluetoothd_still_sending": Text(
        "bluetoothd did not stop sending", "bluetoothd không ngừng phát"
    ),
    "bluetoothd_removed": Text(
        "bluetoothd removed its advertisement", "bluetoothd đã gỡ gói quảng bá"
    ),
    "bluetoothd_stopped": Text(
        "bluetoothd stopped: sudo systemctl start bluetooth",
        "bluetoothd đã dừng: sudo systemctl start bluetooth",
    ),
    "dbus_lost": Text("the system's D-Bus went away", "mất kết nối với D-Bus của hệ thống"),
    # adapters
    "no_adapter": Text(
        "there is no Bluetooth adapter: plug one in",
        "không có bộ điều hợp Bluetooth nào: hãy cắm một bộ vào",
    ),
    "no_such_adapter": Text(
        "there is no adapter {adapter}: plug one in", "không có bộ điều hợp {adapter}: hãy cắm vào"
    ),
    "no_low_energy": Text(
        "the adapter {adapter} has no Bluetooth Low Energy: use another",
        "bộ điều hợp {adapter} không hỗ trợ Bluetooth năng lượng thấp: hãy dùng bộ khác",
    ),
    "cannot_advertise": Text(
        "the adapter {adapter} cannot advertise: use another",
        "bộ điều hợp {adapter} không phát quảng bá được: hãy dùng bộ khác",
    ),
    "adapter_off": Text(
        "the adapter {adapter} is off: switch it on", "bộ điều hợp {adapter} đang tắt: hãy bật lên"
    ),
    "adapter_blocked": Text(
        "the adapter {adapter} is blocked: rfkill unblock bluetooth",
        "bộ điều hợp {adapter} đang bị chặn: rfkill unblock bluetooth",
    ),
    "adapter_gone": Text(
        "the adapter {adapter} went away: plug it in again",
        "mất kết nối với bộ điều hợp {adapter}: hãy cắm lại",
    ),
    # hci
    "hci_no_low_energy": Text(
        "the adapter behind {name} has no Bluetooth Low Energy: use another",
        "bộ điều hợp của {name} không hỗ trợ Bluetooth năng lượng thấp: hãy dùng bộ khác",
    ),
    "hci_cannot_advertise": Text(
        "the adapter behind {name} cannot advertise and scan: use another",
        "bộ điều hợp của {name} không phát và thu được: hãy dùng bộ khác",
    ),
    "hci_refused": Text(
        "the adapter refused {command} ({reason}): unplug it or restart the device",
        "bộ điều hợp từ chối lệnh {command} ({reason}): hãy rút bộ điều hợp ra hoặc khởi động lại"
        " thiết bị",
    ),
    "transport_unknown": Text(
        "{spec} is not an HCI transport: use hci-socket:0, usb:0 or tcp-client:HOST:PORT",
        "{spec} không phải là kết nối HCI: hãy dùng hci-socket:0, usb:0 hoặc tcp-client:HOST:PORT",
    ),
    "transport_no_adapter": Text(
        "no adapter at {spec} ({reason}): plug one in",
        "không có bộ điều hợp tại {spec} ({reason}): hãy cắm vào",
    ),
    "transport_permission": Text(
        "no permission to use {spec}: run the agent as root or give it CAP_NET_ADMIN (for USB: add"
        " a udev rule)",
        "không có quyền dùng {spec}: hãy chạy bằng root hoặc cấp CAP_NET_ADMIN (với USB: thêm luật"
        " udev)",
    ),
    "transport_busy": Text(
        "{spec} is in use: stop what uses it (bluetoothctl power off) and try again",
        "{spec} đang được dùng: hãy dừng chương trình đang dùng (bluetoothctl power off) rồi thử"
        " lại",
    ),
    "transport_blocked": Text(
        "{spec} is blocked: rfkill unblock bluetooth",
        "{spec} đang bị chặn: rfkill unblock bluetooth",
    ),
    "transport_missing": Text(
        "there is no {spec}: plug an adapter in", "không có {spec}: hãy cắm bộ điều hợp vào"
    ),
    "transport_closed": Text(
        "cannot open {spec} ({reason}): start or connect it first",
        "không mở được {spec} ({reason}): hãy khởi động hoặc kết nối trước",
    ),
    "transport_silent": Text(
        "cannot open {spec} (no answer): start or connect it first",
        "không mở được {spec} (không trả lời): hãy khởi động hoặc kết nối trước",
    ),
    # mgmt
    "kernel_permission": Text(
        "no permission to use the kernel's Bluetooth: run the agent as root or give it"
        " CAP_NET_ADMIN",
        "không có quyền dùng Bluetooth của nhân hệ điều hành: hãy chạy bằng root hoặc cấp"
        " CAP_NET_ADMIN",
    ),
    "kernel_refused": Text(
        "the kernel refused {command} for {adapter} (status {status:#04x}): stop other programs"
        " that scan, or restart the device",
        "nhân hệ điều hành từ chối lệnh {command} cho {adapter} (mã {status:#04x}): hãy dừng chương"
        " trình khác đang quét hoặc khởi động lại thiết bị",
    ),
    "kernel_without_bluetooth": Text(
        "this kernel has no Bluetooth ({reason}): load its module, or use another system",
        "nhân hệ điều hành này không có Bluetooth ({reason}): hãy nạp mô-đun hoặc dùng hệ thống"
        " khác",
    ),
    "kernel_answer": Text(
        "the kernel's answer makes no sense: update the system",
        "nhân hệ điều hành trả lời không đúng định dạng: hãy cập nhật hệ thống",
    ),
    "no_guardian": Text(
        "the process that guards {name} cannot be started ({reason}): stop other programs, or use"
        " --radio bluez",
        "không chạy được tiến trình canh giữ {name} ({reason}): hãy dừng chương trình khác hoặc"
        " dùng --radio bluez",
    ),
    # bluez
    "bluez_no_adapter": Text(
        "bluetoothd has no Bluetooth adapter: plug one in",
        "bluetoothd không thấy bộ điều hợp Bluetooth nào: hãy cắm một bộ vào",
    ),
    "bluez_no_such_adapter": Text(
        "bluetoothd has no adapter {adapter}: plug one in",
        "bluetoothd không thấy bộ điều hợp {adapter}: hãy cắm vào",
    ),
    "bluez_kernel": Text(
        "{error}; if bluetoothd keeps refusing to advertise, it does not work with this kernel:"
        " update the system, or use --radio mgmt",
        "{error}; nếu bluetoothd vẫn không phát quảng bá thì nó không chạy được với nhân hệ điều"
        " hành này: hãy cập nhật hệ thống hoặc dùng --radio mgmt",
    ),
    "dbus_denied": Text(
        "D-Bus refused this user: run the agent as a user that may use the system bus",
        "D-Bus từ chối người dùng này: hãy chạy bằng người dùng có quyền dùng D-Bus của hệ thống",
    ),
    "dbus_missing": Text(
        "D-Bus is not running: sudo apt install dbus bluez, then restart the agent",
        "D-Bus chưa chạy: sudo apt install dbus bluez, rồi khởi động lại chương trình",
    ),
    "bluetoothd_missing": Text(
        "bluetoothd is not running: sudo apt install bluez; sudo systemctl start bluetooth",
        "bluetoothd chưa chạy: sudo apt install bluez; sudo systemctl start bluetooth",
    ),
    "bluetoothd_silent": Text(
        "bluetoothd does not answer: sudo systemctl restart bluetooth",
        "bluetoothd không trả lời: sudo systemctl restart bluetooth",
    ),
    "bluetoothd_permission": Text(
        "this user may not use bluetoothd: add it to the group bluetooth",
        "người dùng này không có quyền dùng bluetoothd: hãy thêm vào nhóm bluetooth",
    ),
    "bluetoothd_adapter_gone": Text(
        "the adapter went away: plug it in again", "mất kết nối với bộ điều hợp: hãy cắm lại"
    ),
    "bluetoothd_adapter_off": Text(
        "the adapter is off: bluetoothctl power on (if that fails: rfkill unblock bluetooth)",
        "bộ điều hợp đang tắt: bluetoothctl power on (nếu không được: rfkill unblock bluetooth)",
    ),
    "bluetoothd_adapter_blocked": Text(
        "the adapter is blocked: rfkill unblock bluetooth",
        "bộ điều hợp đang bị chặn: rfkill unblock bluetooth",
    ),
    "bluetoothd_full": Text(
        "bluetoothd accepts no more advertisements: stop another program that advertises",
        "bluetoothd không phát thêm gói quảng bá được: hãy dừng chương trình khác đang phát",
    ),
    "bluetoothd_refused": Text(
        "bluetoothd refused ({reason}): restart it",
        "bluetoothd từ chối ({reason}): hãy khởi động lại dịch vụ này",
    ),
    # android
    "android_only": Text(
        "the radio android works only in an Android app: use another",
        "bộ thu phát android chỉ dùng được trong ứng dụng Android: hãy dùng bộ khác",
    ),
    "android_permission": Text(
        "the app may not use Bluetooth: allow it in the settings",
        "ứng dụng chưa được phép dùng Bluetooth: hãy cho phép trong phần cài đặt",
    ),
    "android_refused": Text(
        "Android refused: switch Bluetooth off and on",
        "Android từ chối: hãy tắt rồi bật lại Bluetooth",
    ),
    "android_silent": Text(
        "Android does not answer: switch Bluetooth off and on",
        "Android không trả lời: hãy tắt rồi bật lại Bluetooth",
    ),
    "android_off": Text("Bluetooth is off: switch it on", "Bluetooth đang tắt: hãy bật lên"),
    "android_no_bluetooth": Text(
        "this phone has no Bluetooth: use another",
        "điện thoại này không có Bluetooth: hãy dùng máy khác",
    ),
    "android_cannot_advertise": Text(
        "this phone cannot advertise: use another",
        "điện thoại này không phát quảng bá được: hãy dùng máy khác",
    ),
    "android_too_large": Text(
        "Android finds the advertisement too large: use another phone",
        "Android cho rằng gói quảng bá quá lớn: hãy dùng máy khác",
    ),
    "android_full": Text(
        "other apps are using every Bluetooth advertising slot: close one of them",
        "các ứng dụng khác đang dùng hết số lượt phát quảng bá của Bluetooth: hãy đóng bớt một ứng"
        " dụng",
    ),
    "android_twice": Text(
        "the advertisement was started twice: restart the app",
        "gói quảng bá bị phát hai lần: hãy khởi động lại ứng dụng",
    ),
    "android_fault": Text(
        "Android's Bluetooth has a fault: switch Bluetooth off and on",
        "Bluetooth của Android gặp lỗi: hãy tắt rồi bật lại Bluetooth",
    ),
    "android_code": Text(
        "Android refused to advertise ({code}): restart the phone",
        "Android không cho phát quảng bá ({code}): hãy khởi động lại điện thoại",
    ),
    "android_scan": Text(
        "Android refused to scan ({reason}): try again in a minute",
        "Android không cho quét ({reason}): hãy thử lại sau một phút",
    ),
    # recordings
    "replay_sends_nothing": Text(
        "{name} sends nothing: use an adapter", "{name} không phát được: hãy dùng bộ điều hợp"
    ),
    "capture_unreadable": Text(
        "cannot read {path} ({reason}): check the path and who owns it",
        "không đọc được {path} ({reason}): hãy kiểm tra đường dẫn và chủ sở hữu tệp",
    ),
    "capture_header": Text(
        "{path} ends inside its header: record it again",
        "{path} bị cụt ngay trong phần đầu: hãy ghi lại",
    ),
    "capture_record": Text(
        "{path} ends inside a record: everything before it was read",
        "{path} bị cụt giữa một bản ghi: đã đọc mọi thứ trước đó",
    ),
    "capture_version": Text(
        "{path} is btsnoop version {version}, datalink {datalink}, which is not supported: record"
        " it again",
        "{path} là btsnoop phiên bản {version}, kiểu {datalink}, chưa được hỗ trợ: hãy ghi lại",
    ),
    "capture_length": Text(
        "{path} claims a record of {length} bytes: record it again",
        "{path} khai một bản ghi dài {length} byte: hãy ghi lại",
    ),
    "capture_format": Text(
        "{path} is not a btsnoop or PacketLogger recording: record it again",
        "{path} không phải là bản ghi btsnoop hay PacketLogger: hãy ghi lại",
    ),
    "capture_damaged": Text("{path} is damaged: record it again", "{path} bị hỏng: hãy ghi lại"),
    "capture_time": Text(
        "{path} contains a time outside the protocol's range: record it again",
        "{path} chứa thời điểm ngoài phạm vi của giao thức: hãy ghi lại",
    ),
    # opening
    "unknown_radio": Text(
        "no radio is called {spec}: use {forms}",
        "không có bộ thu phát nào tên là {spec}: hãy dùng {forms}",
    ),
    "none_opens": Text(
        "no radio can be used:{failures}", "không dùng được bộ thu phát nào:{failures}"
    ),
    # the virtual air
    "air_port": Text(
        "cannot serve on {host}, port {port} ({reason}): choose another port",
        "không mở được cổng {port} tại {host} ({reason}): hãy chọn cổng khác",
    ),
    # self-test
    "test_sends": Text(
        "The adapter sends identifiers, each with its own address",
        "Bộ điều hợp phát được mã định danh, mỗi mã kèm một địa chỉ riêng",
    ),
    "test_listens": Text("The adapter listens", "Bộ điều hợp thu được tín hiệu"),
    "test_stops": Text(
        "The adapter stops sending when asked to", "Bộ điều hợp ngừng phát khi được yêu cầu"
    ),
    "test_passed": Text("{what}.", "{what}."),
    "test_failed": Text("Failed: {what} ({fault}).", "Không đạt: {what} ({fault})."),
    "test_heard": Text(
        "Packets heard nearby: {identifiers} with identifiers, {others} others.",
        "Số gói tin thu được ở gần: {identifiers} có mã định danh, {others} gói khác.",
    ),
    "test_recording": Text(
        "The recording holds {count} packets with identifiers.",
        "Bản ghi có {count} gói mang mã định danh.",
    ),
    "test_old_kernel": Text(
        "The kernel is too old to report every packet (5.10 does), so distances are less accurate.",
        "Nhân hệ điều hành quá cũ nên không báo mọi gói tin (cần 5.10): khoảng cách kém chính xác"
        " hơn.",
    ),
    "test_between": Text(
        "The adapter can listen only between two identifiers, every 10 to 20 minutes, or the kernel"
        " would link them: use --radio mgmt if you are allowed to.",
        "Bộ điều hợp này chỉ có thể thu vào lúc đổi mã định danh, 10 đến 20 phút một lần, nếu không"
        " nhân hệ điều hành sẽ làm lộ mối liên hệ giữa các mã: hãy dùng --radio mgmt nếu được"
        " phép.",
    ),
    "test_one_packet": Text(
        "Only one packet per device is heard in each scan, so distances are less accurate: run"
        " bluetoothd with --experimental.",
        "Mỗi lần thu chỉ nhận được một gói của mỗi thiết bị nên khoảng cách kém chính xác hơn: hãy"
        " chạy bluetoothd với --experimental.",
    ),
    "test_chosen": Text("Chosen: {radio} ({reason}).", "Đã chọn: {radio} ({reason})."),
    "test_not_chosen": Text("Not {radio}: {reason}.", "Không chọn {radio}: {reason}."),
    # why auto chooses a kind
    "chosen_mgmt": Text(
        "exact bytes, every packet's strength, listening without sending",
        "đúng từng byte, đo được cường độ mọi gói tin, thu mà không phát",
    ),
    "chosen_bluez": Text(
        "shares the adapter with other programs and needs no special permission",
        "dùng chung bộ điều hợp với chương trình khác và không cần quyền đặc biệt",
    ),
    "chosen_android": Text("the only one on Android", "bộ thu phát duy nhất trên Android"),
    # lines of the log
    "log_chosen": Text("auto chose {radio}: {reason}", "auto đã chọn {radio}: {reason}"),
    "log_not_chosen": Text(
        "auto did not choose {radio}: {reason}", "auto không chọn {radio}: {reason}"
    ),
    "log_closing": Text("while closing: {fault}", "khi đóng: {fault}"),
    "log_monitors": Text(
        "removing advertisement monitors that keep the adapter from sending",
        "đang gỡ các bộ theo dõi quảng bá khiến bộ điều hợp không phát được",
    ),
    "log_no_monitors": Text(
        "bluetoothd offers no advertisement monitors: only one packet per device is heard in each"
        " scan",
        "bluetoothd không có bộ theo dõi quảng bá: mỗi lần thu chỉ nhận được một gói của mỗi thiết"
        " bị",
    ),
    "log_using_radio": Text("using the radio {radio}", "đang dùng bộ thu phát {radio}"),
}
"""Detailed texts, with placeholders, by name."""


def radio_text(name: str, /, **values: object) -> Text:
    """Return a text with its placeholders filled, in both languages."""
    return filled(RADIO_TEXTS[name], values)


def radio_error(reason: RadioFault, name: str, /, **values: object) -> RadioError:
    """Return the error with a text of this catalogue, in both languages."""
    text = radio_text(name, **values)
    return RadioError(reason, text.en, vi=text.vi)

"""Texts of the help of `truyvet match` and `truyvet match-many`, and of their options."""

from __future__ import annotations

from collections.abc import Mapping

from tracing_core.texts import Text

__all__ = ["HELP"]

HELP: Mapping[str, Text] = {
    "match": Text(
        "Match a log of sightings with published key files.\n\n"
        "LOG is an agent's database or JSON Lines, gzipped or not. EXPORT is a zip, an export.bin,"
        " a folder or an index of them. Nothing is written.",
        "Đối chiếu một nhật ký với các tệp khóa đã công bố.\n\n"
        "LOG là cơ sở dữ liệu của chương trình trên thiết bị, hoặc JSON Lines, nén gzip hoặc không."
        " EXPORT là tệp zip, tệp export.bin, thư mục chứa các tệp đó hoặc danh mục (index) của"
        " chúng. Lệnh này không ghi gì ra đĩa.",
    ),
    "match-many": Text(
        "Match many logs of sightings with published key files.\n\n"
        "LOGS is a Parquet file, a folder of them, or a folder of logs as `truyvet match` reads"
        " them. EXPORT is a zip, an export.bin, a folder or an index of them.",
        "Đối chiếu nhiều nhật ký với các tệp khóa đã công bố.\n\n"
        "LOGS là một tệp Parquet, thư mục chứa các tệp Parquet, hoặc thư mục chứa những nhật ký mà"
        " `truyvet match` đọc được. EXPORT là tệp zip, tệp export.bin, thư mục chứa các tệp đó hoặc"
        " danh mục (index) của chúng.",
    ),
    "--public-key": Text(
        "Use only files signed with the key in this file (PEM, DER, base64 or a certificate);"
        " repeat the option for several keys.",
        "Chỉ dùng những tệp có chữ ký khớp với khóa công khai trong tệp này (PEM, DER, base64 hoặc"
        " chứng thư); lặp lại tùy chọn nếu có nhiều khóa.",
    ),
    "--today": Text(
        "Count ages back from this day. [default: the log's last day]",
        "Tính số ngày đã qua, lấy ngày này làm mốc. [mặc định: ngày cuối cùng trong nhật ký]",
    ),
    "--json": Text("Print one JSON object.", "In ra một đối tượng JSON."),
    "match --risk": Text(
        "Weigh exposures by a preset (enx, narrow-v1, narrow-v2, wide-v1, wide-v2, nz) or a JSON"
        " file. [default: narrow-v2]",
        "Tính mức nguy cơ theo bộ tham số có sẵn (enx, narrow-v1, narrow-v2, wide-v1, wide-v2, nz)"
        " hoặc theo tệp JSON. [mặc định: narrow-v2]",
    ),
    "match --research": Text(
        "Also show which keys matched, and when. Keep this output private.",
        "Cho biết thêm những khóa nào khớp và khớp lúc nào. Hãy giữ kín kết quả này.",
    ),
    "--protocol": Text(
        "The protocol of the log: gaen (Exposure Notification), or bluezone. With bluezone, EXPORT"
        " is a list of keys in JSON as Bluezone published it.",
        "Giao thức của nhật ký: gaen (Exposure Notification) hoặc bluezone. Với bluezone, EXPORT là"
        " danh sách khóa dạng JSON như Bluezone đã công bố.",
    ),
    "only with gaen": Text(
        "{option} has no meaning with --protocol bluezone: leave it out",
        "{option} không dùng được với --protocol bluezone: hãy bỏ đi",
    ),
    "--threads": Text(
        "Threads for a large job. [default: one per CPU]",
        "Số luồng xử lý khi khối lượng lớn. [mặc định: mỗi CPU một luồng]",
    ),
    "--warm-up": Text(
        "Compile the kernels for large jobs, once per machine, and print where they are kept.",
        "Biên dịch trước các hàm tính toán dùng khi khối lượng lớn, mỗi máy một lần, rồi cho biết"
        " nơi lưu.",
    ),
    "--out": Text(
        "New folder for the results, as Parquet files.",
        "Thư mục mới để ghi kết quả, ở dạng tệp Parquet.",
    ),
    "match-many --risk": Text(
        "Weigh exposures by a preset, as in `truyvet match`, or by a JSON file.",
        "Tính mức nguy cơ theo bộ tham số có sẵn, như ở `truyvet match`, hoặc theo tệp JSON.",
    ),
    "match-many --research": Text(
        "Also write which keys matched, and when. Keep this output private.",
        "Ghi thêm những khóa nào khớp và khớp lúc nào. Hãy giữ kín kết quả này.",
    ),
    "--workers": Text(
        "Worker processes. [default: one per CPU]",
        "Số tiến trình xử lý. [mặc định: mỗi CPU một tiến trình]",
    ),
    "--dask": Text(
        "Run on a Dask cluster, such as tcp://HOST:8786.",
        "Chạy trên một cụm Dask, ví dụ tcp://HOST:8786.",
    ),
    "--memory": Text(
        "About how much memory each worker may use for sightings.",
        "Mỗi tiến trình được dùng khoảng bao nhiêu bộ nhớ cho các lượt ghi nhận.",
    ),
    "dask or workers": Text(
        "a Dask cluster has its own workers: drop --workers or --dask",
        "cụm Dask có các tiến trình riêng: hãy bỏ --workers hoặc --dask",
    ),
}
"""The texts by what one types, and that of a usage error."""
